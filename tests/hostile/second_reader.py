#!/usr/bin/python3
"""docs/reader.py, which knows the specification and nothing of the library, gives each hostile file the same verdict.

usage: second_reader.py WRITE_HOSTILE_FILES
"""

import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "docs"))
try:
    import reader
except ImportError as missing:
    print(f"SKIPPED: {missing}; install python3-xxhash and python3-zstandard")
    sys.exit(77)


def accepts(path):
    """Whether the second reader finds nothing wrong; what it throws besides its own error passes through."""
    try:
        checkpoint = reader.Checkpoint(path)
        checkpoint.verify()
    except reader.CheckpointError:
        return False
    return True


def main():
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], check=True, stdout=subprocess.DEVNULL)
        lines = (Path(folder) / "verdicts.txt").read_text(encoding="utf-8").splitlines()
        for line in lines:
            name, verdict = line.split()
            if accepts(Path(folder) / name) != (verdict == "accept"):
                wrong.append(f"{name}: the library says {verdict}")
    print("\n".join(wrong + [f"{len(lines)} hostile files, {len(wrong)} with another verdict"]))
    return 1 if wrong or not lines else 0


if __name__ == "__main__":
    sys.exit(main())
