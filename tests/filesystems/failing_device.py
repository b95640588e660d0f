"""Devices that fail: one that takes no more blocks under way, so that fsync says what the page cache did not know, and
one whose end is gone while a checkpoint on it is mapped."""

import os
import signal
import subprocess

from disks import MIB, Disk, Memory
from driver import LIMIT, check, numbers_of, run, saving

# A device that fails says EIO or ENOSPC; a file system that gave up because of it, EROFS or EIO.
EXPECTED = {"io 5", "io 28", "io 30"}

# Saves that fail before the program gives up, and saves that are waited for once there is room again.
PATIENCE = 8
AFTERWARDS = 4


def save_while_it_fails(driver, memory, disk, way):
    """The device takes no new block after five saves, and takes them again after the first error."""
    lines, errors, after = [], 0, 0
    with saving(driver, disk, way, patience=PATIENCE) as child:
        for line in child.stdout:
            lines.append(line)
            failed = line.startswith("error ")
            errors += failed
            after += errors > 0 and line.startswith("returned ")
            if failed and errors == 1:
                memory.resize(1024 * MIB)
            if errors == 0 and len(numbers_of(lines, "returned")) == 5:
                memory.fill()
            if after == AFTERWARDS:
                child.kill()  # and read what it has said by then
        problem = child.stderr.read()
        if child.wait() != 0 and after < AFTERWARDS:
            raise RuntimeError(f"{disk.kind}, {way}: {problem.strip()}")
    return lines


def test_writes(driver, kind, way):
    with Memory(1024 * MIB) as memory, Disk(memory.path, kind, 256 * MIB) as disk:
        with disk.small_requests():
            lines = save_while_it_fails(driver, memory, disk, way)
        errors = [line.split(":")[0].removeprefix("error ").strip() for line in lines if line.startswith("error ")]
        if not errors or set(errors) - EXPECTED:
            raise RuntimeError(f"{kind}, {way}: unexpected errors {sorted(set(errors))}: {lines[-1]}")
        # A restart: what the page cache alone had is gone.
        disk.again()
        number, temporaries = check(driver, disk, way)
        first = next(i for i, line in enumerate(lines) if line.startswith("error "))
        returned, after = numbers_of(lines, "returned"), numbers_of(lines[first:], "returned")
        if not max(returned) <= number <= max(numbers_of(lines, "begun")):
            raise RuntimeError(f"{kind}, {way}: found {number}, {max(returned)} had returned")
        print(f"writes fail, {kind}, {way}: {len(errors)} saves failed ({', '.join(sorted(set(errors)))}), "
              f"{len(returned) - len(after)} had returned before, {len(after)} after; all of those are there after a "
              f"restart; {temporaries} temporaries", flush=True)


# How a checkpoint is read, and what has to come of it when the device is gone.
READS = {
    "touch": "SIGBUS",
    "bind": "SIGBUS",
    "graph": "error io",
    "verify": "error io",
    "full": "error io",
    "read": "error io",
    "manager": "error",
}


def outcome(driver, disk, file, how):
    child = subprocess.Popen([driver, "read", file, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    try:
        if child.stdout.readline().strip() != "open":
            raise RuntimeError(f"{disk.kind}, {how}: {child.stderr.read().strip()}")
        os.truncate(disk.image, MIB)
        out, problem = child.communicate("\n", timeout=LIMIT)
    finally:
        child.kill()
        child.wait()
    if child.returncode == -signal.SIGBUS:
        return "SIGBUS"
    if child.returncode != 0:
        raise RuntimeError(f"{disk.kind}, {how}: {child.returncode}, {problem.strip()}")
    return out.strip().splitlines()[-1]


def test_reads(driver, kind):
    for how, wanted in READS.items():
        with Memory(1024 * MIB) as memory, Disk(memory.path, kind, 256 * MIB) as disk:
            way = "manager" if how == "manager" else "replace"
            run(driver, "save", disk.path, way, "8", "0", "0")
            disk.again()
            file = os.path.join(disk.path, "run/ckpt-8.ckpt" if how == "manager" else "a.ckpt")
            came = outcome(driver, disk, file, how)
            if not came.startswith(wanted):
                raise RuntimeError(f"reads fail, {kind}, {how}: {came}, not {wanted}")
            print(f"reads fail, {kind}, {how}: {came.split(':')[0]}", flush=True)


def test(driver, kind):
    for way in ("replace", "new", "manager"):
        test_writes(driver, kind, way)
    test_reads(driver, kind)
