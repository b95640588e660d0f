"""Setting the readahead of a disk, and setting it back."""

import contextlib
import os
from pathlib import Path


@contextlib.contextmanager
def readahead(folder, kibibytes, allowed):
    """Gives None when the setting holds, else why it cannot."""
    device = os.stat(folder).st_dev
    setting = Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb")
    if not allowed:
        yield "--set-readahead allows to change the setting of the disk for a while; that needs root"
        return
    try:
        before = setting.read_text(encoding="ascii")
        setting.write_text(str(kibibytes), encoding="ascii")
    except OSError as error:
        yield str(error)
        return
    try:
        yield None
    finally:
        setting.write_text(before, encoding="ascii")
