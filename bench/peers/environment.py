#!/usr/bin/python3
"""Makes the Python environment of ./dev bench-peers, with the libraries that ckpt is compared with.

usage: environment.py FOLDER

What cannot be installed of OPTIONAL is said, and its peers are then "not measured". Everything else has to install.
"""

import subprocess
import sys
import venv
from pathlib import Path

REQUIRED = ["torch==2.13.0", "safetensors", "numpy", "zstandard", "gguf"]
OPTIONAL = ["tensorflow"]


def install(python, packages, log):
    with open(log, "a", encoding="utf-8") as out:
        return subprocess.call([python, "-m", "pip", "install", "-q", *packages], stdout=out, stderr=out) == 0


def main():
    folder = Path(sys.argv[1])
    python, done, log = folder / "bin/python", folder / "installed", folder / "pip.log"
    wanted = "\n".join(REQUIRED + OPTIONAL)
    if done.exists() and done.read_text(encoding="utf-8").startswith(wanted):
        print(done.read_text(encoding="utf-8").removeprefix(wanted).strip())
        return 0
    if not python.exists():
        venv.create(folder, with_pip=True)
    print("installing", " ".join(REQUIRED + OPTIONAL), "in", folder, flush=True)
    if not install(python, REQUIRED, log):
        print(f"environment.py: cannot install them; see {log}", file=sys.stderr)
        return 1
    missing = [package for package in OPTIONAL if not install(python, [package], log)]
    said = f"left out, because they do not install here: {' '.join(missing)}; see {log}" if missing else ""
    done.write_text(f"{wanted}\n{said}", encoding="utf-8")
    print(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
