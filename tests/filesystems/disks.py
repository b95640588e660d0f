"""Disks for tests: images with a file system, in memory, mounted where no other process sees them. When the script
ends, however that is, they are gone: mounts with its mount namespace, loop devices with their mounts."""

import contextlib
import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile

MIB = 1 << 20
KIB = 1 << 10

# FS_IOC_SHUTDOWN, and whether what the journal has in memory reaches the disk before.
SHUTDOWN = 0x8004587D
LOG_FLUSHED, LOG_LOST = 1, 2

# The smallest that mkfs makes, and how. Without discard: blocks that were free before may hold anything.
MKFS = {
    "ext4": (["mkfs.ext4", "-q", "-F", "-m", "0", "-E", "nodiscard"], 16 * MIB),
    "xfs": (["mkfs.xfs", "-q", "-f", "-K"], 300 * MIB),
    "btrfs": (["mkfs.btrfs", "-q", "-f", "-K"], 110 * MIB),
}


class Skipped(Exception):
    """The machine lacks what a test needs; the text says what."""


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout.strip()}")
    return done.stdout


def own_mounts():
    """What is mounted from here on is this process's own, and its children's."""
    if os.geteuid() != 0:
        raise Skipped("mounting needs root")
    if not os.path.exists("/dev/loop-control"):
        raise Skipped("there are no loop devices")
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newns, ms_rec, ms_private = 0x20000, 0x4000, 1 << 18
    if libc.unshare(clone_newns) != 0 or libc.mount(None, b"/", None, ms_rec | ms_private, None) != 0:
        raise Skipped(f"no mounts of its own: {os.strerror(ctypes.get_errno())}")


def require(kind):
    if not shutil.which(MKFS[kind][0][0]):
        raise Skipped(f"{kind}: there is no {MKFS[kind][0][0]}")


def write_text(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def free_at(path):
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


class Memory:
    """A tmpfs of its own, whose size is a limit that can be changed."""

    def __init__(self, size):
        self.path = tempfile.mkdtemp(prefix="ckpt-filesystems-")
        run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.path)

    def resize(self, size):
        run("mount", "-o", f"remount,size={size}", self.path)

    def free(self):
        return free_at(self.path)

    def fill(self):
        """From here on it takes little more."""
        for tries in range(100, -1, -1):
            status = os.statvfs(self.path)
            try:
                return self.resize((status.f_blocks - status.f_bfree) * status.f_frsize + 64 * KIB)
            except RuntimeError:  # it has grown meanwhile
                if tries == 0:
                    raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        run("umount", self.path)
        os.rmdir(self.path)


class Disk:
    """An image in `folder` with a file system of that kind, mounted at `path`."""

    def __init__(self, folder, kind, size=0):
        require(kind)
        self.kind = kind
        self.image = os.path.join(folder, kind + ".img")
        self.path = os.path.join(folder, kind)
        os.mkdir(self.path)
        with open(self.image, "wb") as image:
            image.truncate(max(size, MKFS[kind][1]))
        run(*MKFS[kind][0], self.image)
        self.mounted = False
        self.mount()

    def mount(self):
        try:
            run("mount", "-o", "loop", "-t", self.kind, self.image, self.path)
        except RuntimeError as error:
            if "unknown filesystem type" in str(error):
                raise Skipped(f"{self.kind}: not in this kernel") from error
            raise
        self.mounted = True

    def unmount(self):
        if self.mounted:
            run("umount", self.path)
        self.mounted = False

    @contextlib.contextmanager
    def small_requests(self):
        """No request of more than a page: the loop device says nothing when its file takes a part of one."""
        device = os.path.basename(run("losetup", "--noheadings", "--output", "NAME", "-j", self.image).strip())
        limit = f"/sys/block/{device}/queue/max_sectors_kb"
        with open(limit, encoding="ascii") as file:
            before = file.read()
        try:
            write_text(limit, "4")
            yield
        finally:
            write_text(limit, before)

    def again(self):
        """As after a restart: what is in memory alone is gone."""
        self.unmount()
        self.mount()

    def cut_power(self, flags):
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(folder, SHUTDOWN, struct.pack("I", flags))
        finally:
            os.close(folder)

    def free(self):
        return free_at(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.unmount()
        os.rmdir(self.path)
        os.remove(self.image)
