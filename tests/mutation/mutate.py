#!/usr/bin/python3
"""Breaks the library in one place at a time and asks whether some test fails.

usage: mutate.py BUILD [NAME...]

BUILD is a Meson build folder of a copy of the sources, which the script makes itself beside the folder. Each mutant of
mutants.py is a text of a file and what takes its place. A text that the file does not have exactly once is an error: the
code went on and the list did not. Prints a line a mutant, then `N killed, N survived`. Exit status 0 only when none
survived.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

from mutants import MUTANTS, TESTS

ROOT = Path(__file__).resolve().parents[2]
COPIED = ["include", "src", "schema", "tests", "tools", "examples", "bench", "docs", "README.md", "LICENSE"]
COPIED += ["meson.build", "meson_options.txt"]


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def prepare(tree):
    """A copy of the sources, and a build folder in it."""
    tree.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source, target = ROOT / name, tree / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)
    if not (tree / "build" / "build.ninja").exists():
        options = ["-Dtool=disabled", "-Dexamples=disabled", "-Dbench=disabled", "-Doptimization=1"]
        made = run(["meson", "setup", "build", *options], cwd=tree)
        if made.returncode != 0:
            sys.exit("mutate: meson setup failed:\n" + made.stdout[-3000:] + made.stderr[-3000:])


def build(tree, targets):
    return run(["ninja", "-C", "build", "-j2", *targets], cwd=tree)


def first_failure(tree, tests):
    """The name of the first test that fails, or None."""
    for name in tests:
        program, *arguments = TESTS[name]
        try:
            if run([str(tree / "build" / program), *arguments], cwd=tree, timeout=300).returncode != 0:
                return name
        except subprocess.TimeoutExpired:
            return name + " (without end)"
    return None


def programs(tests):
    return sorted({TESTS[name][0] for name in tests})


def check_texts(mutants):
    """Fails loudly when a mutant's text is not in its file exactly once."""
    stale = []
    for name, file, old, _, _ in mutants:
        count = (ROOT / file).read_text(encoding="utf-8").count(old)
        if count != 1:
            stale.append(f"{name}: {file} has its text {count} times")
    if stale:
        sys.exit("mutate: the list is out of date\n" + "\n".join(stale))


def judge(tree, mutant):
    """What killed the mutant, or None."""
    _, file, old, new, tests = mutant
    target = tree / file
    original = target.read_text(encoding="utf-8")
    target.write_text(original.replace(old, new), encoding="utf-8")
    try:
        built = build(tree, programs(tests))
        if built.returncode != 0:
            sys.exit(f"mutate: {mutant[0]} does not compile:\n" + built.stdout[-3000:])
        return first_failure(tree, tests)
    finally:
        target.write_text(original, encoding="utf-8")


def main():
    check_texts(MUTANTS)
    tree = Path(sys.argv[1]).resolve()
    chosen = [m for m in MUTANTS if len(sys.argv) == 2 or m[0] in sys.argv[2:]]
    prepare(tree)
    everything = sorted({test for mutant in chosen for test in mutant[4]})
    built = build(tree, programs(everything))
    if built.returncode != 0:
        sys.exit("mutate: the build failed:\n" + built.stdout[-3000:])
    if failed := first_failure(tree, everything):
        sys.exit(f"mutate: {failed} fails without any mutant")
    survived = []
    for mutant in chosen:
        started = time.monotonic()
        killer = judge(tree, mutant)
        if killer is None:
            survived.append(mutant[0])
        print(f"{mutant[0]}: {'SURVIVED' if killer is None else 'killed by ' + killer}, {time.monotonic() - started:.0f} s", flush=True)
    print(f"{len(chosen) - len(survived)} killed, {len(survived)} survived")
    return 1 if survived or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
