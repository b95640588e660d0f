"""Power cuts, full disks and failing devices on real file systems. Needs root, loop devices and mkfs; says SKIPPED and
why where one is missing. The last line is `N passed, N failed, N skipped`."""

import argparse
import random
import sys
import traceback

import failing_device
import full_disk
import power_cut
from disks import Skipped, own_mounts

KINDS = ["ext4", "xfs", "btrfs"]


def tests(options):
    for kind in KINDS:
        yield lambda kind=kind: power_cut.test(options.driver, kind, options.cycles, options.seed)
    for kind in ["tmpfs", *KINDS]:
        yield lambda kind=kind: full_disk.test(options.driver, kind, options.steps)
    for kind in KINDS:
        yield lambda kind=kind: failing_device.test(options.driver, kind)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("driver", help="the program filesystem_driver")
    parser.add_argument("--cycles", type=int, default=10, help="power cuts for each file system and way to save")
    parser.add_argument("--steps", type=int, default=80, help="of 4 KiB of room on a disk")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    passed, failed, skipped = 0, 0, 0
    try:
        own_mounts()
    except Skipped as reason:
        print(f"SKIPPED: {reason}\n0 passed, 0 failed, {len(list(tests(options)))} skipped")
        return 77
    for test in tests(options):
        try:
            test()
            passed += 1
        except Skipped as reason:
            skipped += 1
            print(f"SKIPPED: {reason}", flush=True)
        except Exception:  # the next test has disks of its own
            failed += 1
            traceback.print_exc(file=sys.stdout)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
