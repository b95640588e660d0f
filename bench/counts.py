#!/usr/bin/env python3
"""Compares how many instructions the hot paths take with the figures in counts.json: those of ckpt_counts under callgrind.

usage: counts.py PROGRAM [--update]

Unlike times, counts are the same on a busy machine. They depend on the compiler and its version, for which counts.json
is made; with another one nothing is compared. --update writes what was counted to counts.json.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

FIGURES = pathlib.Path(__file__).with_name("counts.json")


def count(program, function, folder):
    """Instructions in `function`, all its callees included, and the compiler of the program."""
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--toggle-collect=count_{function}", "--callgrind-out-file=/dev/null",
         program, "counts.ckpt"],
        cwd=folder, capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found or int(found[1]) == 0:
        sys.exit(f"counts: {function}: callgrind counted nothing\n{done.stderr}")
    return int(found[1]), done.stdout.strip()


def main():
    program, update = str(pathlib.Path(sys.argv[1]).resolve()), sys.argv[2:] == ["--update"]
    if not shutil.which("valgrind"):
        print("SKIPPED: instructions are not counted: valgrind is missing")
        return 0
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    tolerance = figures["tolerance_percent"]
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        for function, known in figures["instructions"].items():
            counted, compiler = count(program, function, folder)
            # "GCC 12.2.0" counts as "GCC 12".
            major = compiler.split(".")[0]
            if update:
                figures["instructions"][function], figures["compiler"] = counted, major
            elif major != figures["compiler"]:
                print(f"SKIPPED: the figures are those of {figures['compiler']}, and this is {compiler}")
                return 0
            change = 100 * (counted - known) / known if known else 0
            missed += change > tolerance
            print(f"{function:16} {counted:>12,} instructions, {change:+6.1f} %{'  TOO MANY' if change > tolerance else ''}")
    if update:
        FIGURES.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        return 0
    if missed:
        print(f"more than {tolerance} % above bench/counts.json: find out why, or accept it with --counts --update")
    return 1 if missed else 0


sys.exit(main())
