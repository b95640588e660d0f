#!/usr/bin/python3
"""Programs that must not compile.

usage: compile_fail.py CONTROL FOLDER... -- COMPILER [FLAG...]

Every .cpp file of the folders begins with a line `// expect: REGEX`. The compiler must refuse it, and its diagnostics
must match REGEX. A file that asks for CORRECTED holds the program without its mistake, too, and must compile when that
macro is defined, so that nothing but the mistake is what the compiler refuses. CONTROL must compile: it shows that the
compiler and its flags work at all. Exit status 0: all as it should be, 1: not.
"""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def compile_file(command, path, *flags):
    done = subprocess.run(
        [*command, *flags, "-fsyntax-only", str(path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    return done.returncode, done.stderr + done.stdout


def judge(command, path):
    """What is wrong with a file, or nothing."""
    text = path.read_text(encoding="utf-8")
    first = text.partition("\n")[0]
    wanted = re.fullmatch(r"// expect: (.+)", first)
    if not wanted:
        return "its first line is not '// expect: REGEX'"
    status, output = compile_file(command, path)
    if status == 0:
        return "it compiles"
    if not re.search(wanted[1], output):
        return f"the diagnostics do not match {wanted[1]!r}:\n{output}"
    if "CORRECTED" in text:
        status, output = compile_file(command, path, "-DCORRECTED")
        if status != 0:
            return f"it does not compile without its mistake:\n{output}"
    return None


def main(arguments):
    split = arguments.index("--")
    control, folders, command = Path(arguments[0]), arguments[1:split], arguments[split + 1 :]
    status, output = compile_file(command, control)
    if status != 0:
        print(f"{control}: the control does not compile:\n{output}")
        return 1
    files = sorted(path for folder in folders for path in Path(folder).glob("*.cpp"))
    if not files:
        print("no file was found")
        return 1
    failed = 0
    with ThreadPoolExecutor() as pool:
        for path, problem in zip(files, pool.map(lambda path: judge(command, path), files)):
            print(f"{'FAILED' if problem else 'ok':6} {path.parent.parent.name}/{path.name}")
            if problem:
                print(f"  {problem}")
                failed += 1
    print(f"{len(files)} programs, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
