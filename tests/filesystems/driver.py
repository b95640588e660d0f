"""The program filesystem_driver, as the tests use it."""

import contextlib
import subprocess
import threading

# Seconds after which a process hangs, on a busy machine too.
LIMIT = 300


@contextlib.contextmanager
def saving(driver, disk, way, saves=0, flags=0, patience=0):
    """A process that saves, which ends with the block."""
    child = subprocess.Popen([driver, "save", disk.path, way, str(saves), str(flags), str(patience)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    hangs = threading.Timer(LIMIT, child.kill)
    hangs.start()
    try:
        yield child
    finally:
        hangs.cancel()
        child.kill()
        child.communicate()


def run(driver, *arguments):
    """Its output. What it complains of is an error."""
    done = subprocess.run([driver, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          timeout=LIMIT)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def check(driver, disk, way):
    """The number that a new process finds, and how many temporaries there were."""
    try:
        number, temporaries = run(driver, "check", disk.path, way).split()
    except RuntimeError as error:
        raise RuntimeError(f"{disk.kind}, {way}: {error}") from error
    return int(number), int(temporaries)


def numbers_of(lines, word):
    return [int(line.split()[1]) for line in lines if line.startswith(word + " ")]
