"""The power is cut in the middle of saves and right after them. What had returned is there, and what is there is
whole. Without fsync: old, new, or refused."""

import random
import time
from collections import Counter

from disks import LOG_FLUSHED, LOG_LOST, MIB, Disk, Memory, Skipped
from driver import check, numbers_of, saving

WAYS = ["replace", "new", "manager", "background", "quick", "quick-new"]
QUICK = ["quick", "quick-new"]


def save_until_cut(driver, disk, way, flags, dice):
    """Returns the lines of a process that saved until it had no disk any more."""
    at_once = dice.random() < 0.5
    saves = dice.randint(1, 4)
    with saving(driver, disk, way, saves if at_once else 0, flags) as child:
        lines = []
        for line in child.stdout:
            lines.append(line)
            if not at_once and len(numbers_of(lines, "returned")) == saves:
                time.sleep(dice.random() * 0.02)
                disk.cut_power(flags)
                break
        lines += child.stdout  # to its end
        problem = child.stderr.read()
        child.wait()
    if child.returncode != 0:
        raise RuntimeError(f"{disk.kind}, {way}: {problem.strip()} after {''.join(lines)}")
    return lines


def judge(way, number, before, lines):
    """What the cut has left, in a word."""
    returned = max(numbers_of(lines, "returned"), default=before)
    begun = max(numbers_of(lines, "begun"), default=before)
    if way in QUICK:
        if number > begun:
            raise RuntimeError(f"{way}: found {number} of {begun}")
        return "refused" if number == -1 else "new" if number == begun else "none" if number == 0 else "old"
    if not returned <= number <= begun:
        raise RuntimeError(f"{way}: found {number}, {returned} had returned, {begun} was begun")
    if begun == returned:
        return "returned"
    return "new" if number == begun else "old"


def cut_often(driver, kind, way, cycles, dice):
    counts = Counter()
    with Memory(1024 * MIB) as memory, Disk(memory.path, kind, 256 * MIB) as disk:
        number = 0
        for cycle in range(cycles):
            flags = LOG_FLUSHED if cycle % 2 else LOG_LOST
            lines = save_until_cut(driver, disk, way, flags, dice)
            disk.again()
            found, temporaries = check(driver, disk, way)
            counts[judge(way, found, number, lines)] += 1
            counts["temporaries"] += temporaries
            counts["saves"] += len(numbers_of(lines, "returned"))
            number = max(found, 0)
    return counts


def has_shutdown(kind):
    with Memory(1024 * MIB) as memory, Disk(memory.path, kind) as disk:
        try:
            disk.cut_power(LOG_LOST)
        except OSError as error:
            raise Skipped(f"{kind}: this kernel cannot cut its power ({error.strerror})") from error


def test(driver, kind, cycles, seed):
    has_shutdown(kind)
    dice = random.Random(seed)
    for way in WAYS:
        started = time.monotonic()
        counts = cut_often(driver, kind, way, cycles, dice)
        told = ", ".join(f"{counts[word]} {word}" for word in ("returned", "new", "old", "none", "refused")
                         if counts[word])
        print(f"power cut, {kind}, {way}: {cycles} cuts after {counts['saves']} saves: {told}; "
              f"{counts['temporaries']} temporaries; {(time.monotonic() - started) * 1000 / cycles:.0f} ms each",
              flush=True)
