"""A disk whose room goes up in steps of 4 KiB: each save is there or says that the disk is full, and nothing is left
of one that failed."""

import os

from disks import KIB, MIB, Disk, Memory
from driver import run

STEP = 4 * KIB
WAYS = ["plain", "allocated", "quick", "manager"]


class Ballast:
    """A file that takes all but so much room. Writing, not fallocate: what is allocated may still be given back."""

    def __init__(self, disk):
        self.disk = disk
        self.path = os.path.join(disk.path, "ballast")
        self.file = open(self.path, "wb", buffering=0)

    def leave(self, room):
        have = os.fstat(self.file.fileno()).st_size
        size = max(0, have + self.disk.free() - room)
        if size < have:
            self.file.truncate(size)
        else:
            self.file.seek(have)
            try:
                self.file.write(b"\xff" * (size - have))
            except OSError:
                pass  # it takes what there is
        os.fsync(self.file.fileno())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        os.remove(self.path)


def sweep(driver, disk, way, steps):
    """Saves with no room, then with 4 KiB more each time. Returns how many found the disk full."""
    path = os.path.join(disk.path, "a.ckpt")
    run(driver, "save", disk.path, "replace", "1", "0", "0")
    with open(path, "rb") as file:
        old = file.read()
    full = saved = 0
    with Ballast(disk) as ballast:
        for room in range(0, steps * STEP, STEP):
            ballast.leave(room)
            try:
                came = run(driver, "room", disk.path, way).strip()
            except RuntimeError as error:
                raise RuntimeError(f"full disk, {disk.kind}, {way}, {room // KIB} KiB: {error}") from error
            full += came == "full"
            saved += came == "saved"
            if came == "saved" and way != "manager":
                ballast.leave(len(old) + MIB)
                with open(path, "wb") as file:
                    file.write(old)
    return full, saved


class Tmpfs(Memory):
    kind = "tmpfs"


def test(driver, kind, steps):
    for way in WAYS:
        if kind == "tmpfs":
            with Tmpfs(4 * MIB) as disk:
                full, saved = sweep(driver, disk, way, steps)
        else:
            with Memory(1024 * MIB) as memory, Disk(memory.path, kind) as disk:
                full, saved = sweep(driver, disk, way, steps)
        if full == 0 or saved == 0:
            raise RuntimeError(f"full disk, {kind}, {way}: {full} full, {saved} saved: the steps miss the edge")
        print(f"full disk, {kind}, {way}: {full} times full, {saved} times saved", flush=True)
