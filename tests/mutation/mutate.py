#!/usr/bin/python3
"""Breaks the library in one place at a time and asks whether some test fails.

usage: mutate.py BUILD [NAME...]

A mutant is the library without one condition of a check (checks.py finds these), or with a text of mutants.py replaced.
NAME chooses those whose name has it as a part: a file, a function, a line. For each mutant the tests of its folder are
built and run, those that are most likely to fail first, until one fails. None that fails: the mutant survived.

BUILD is for copies of the sources with a Meson build folder in each, one for each core. What killed a mutant is
remembered there and tried first the next time. Prints a line a mutant, then `N killed, N survived`. Exit status 0 only
when none survived.
"""

import hashlib
import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from checks import checks_in
from mutants import CHECKED, MUTANTS, SPARED, TESTS, TESTS_OF

ROOT = Path(__file__).resolve().parents[2]
COPIED = ["include", "src", "schema", "tests", "tools", "examples", "bench", "docs", "README.md", "LICENSE"]
COPIED += ["meson.build", "meson_options.txt"]
# A hardened standard library: a read outside of a span then is a failure, and not only under AddressSanitizer.
OPTIONS = ["-Dtool=disabled", "-Dexamples=disabled", "-Dbench=disabled", "-Doptimization=1", "-Dcpp_args=-D_GLIBCXX_ASSERTIONS"]


class Mutant:
    def __init__(self, name, file, text, first=()):
        self.name, self.file, self.text = name, file, text
        folder = str(Path(file).parent)
        self.tests = list(dict.fromkeys([*first, *TESTS_OF[folder]]))


def all_mutants():
    """Fails loudly when a list of mutants.py is out of date."""
    mutants, stale, spared = [], [], set()
    for folder in CHECKED:
        for path in sorted((ROOT / folder).glob("*.cpp")):
            file = str(path.relative_to(ROOT))
            for line, shown, text in checks_in(path.read_text(encoding="utf-8")):
                key = (file, shown)
                spared |= {key} & SPARED.keys()
                if key not in SPARED:
                    mutants.append(Mutant(f"{file}:{line}: without {shown}", file, text))
    stale += [f"{file} has no check {shown}" for file, shown in SPARED.keys() - spared]
    for name, file, old, new, first in MUTANTS:
        text = (ROOT / file).read_text(encoding="utf-8")
        if text.count(old) != 1:
            stale.append(f"{name}: {file} has its text {text.count(old)} times")
        mutants.append(Mutant(f"{file}: {name}", file, text.replace(old, new), first))
    stale += [f"{place}: no mutant is without this fsync" for place in forgotten_syncs()]
    if stale:
        sys.exit("mutate: the list is out of date\n" + "\n".join(stale))
    return mutants


def forgotten_syncs():
    """Each call that makes something durable is in the text of some mutant of mutants.py."""
    for path in sorted((ROOT / "src").rglob("*.cpp")):
        file, text = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        covered = [range(at, at + len(old)) for _, f, old, _, _ in MUTANTS if f == file and (at := text.find(old)) >= 0]
        for match in re.finditer(r"::fsync\(|\bfdatasync\(|(\.|->)sync\(\)", text):
            if not any(match.start() in place for place in covered):
                yield f"{file}:{text.count(chr(10), 0, match.start()) + 1}"


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, **options)


def write(path, content):
    """Leaves a file alone that has this content: its time says to Ninja what is to be built."""
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def sources():
    for name in COPIED:
        path = ROOT / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                yield str(file.relative_to(ROOT)), file.read_bytes()


class Tree:
    """A copy of the sources, and a build folder in it."""

    def __init__(self, place, content):
        self.place = place
        for name, text in content.items():
            write(place / name, text)
        for file in [f for folder in ("src", "tests") for f in (place / folder).rglob("*") if f.is_file()]:
            if str(file.relative_to(place)) not in content:
                file.unlink()
        if not (place / "build" / "build.ninja").exists():
            made = run(["meson", "setup", "build", *OPTIONS], cwd=place)
            if made.returncode != 0:
                sys.exit("mutate: meson setup failed:\n" + made.stdout[-3000:] + made.stderr[-3000:])

    def fails(self, test, limit):
        """Builds the test and runs it: why it fails, or None."""
        program, *arguments = TESTS[test]
        built = run(["ninja", "-C", "build", program], cwd=self.place)
        if built.returncode != 0:
            raise RuntimeError("does not compile:\n" + built.stdout[-3000:])
        command = [str(self.place / "build" / program), *arguments]
        try:
            ended = run(command, cwd=self.place, timeout=limit, env={**os.environ, "CKPT_TEST_KILLS": "30"})
        except subprocess.TimeoutExpired:
            return "without end"
        return None if ended.returncode == 0 else "fails"

    def judge(self, mutant, tests, limits):
        """The test that killed the mutant, or None."""
        target = self.place / mutant.file
        original = target.read_bytes()
        target.write_text(mutant.text, encoding="utf-8")
        try:
            return next((test for test in tests if self.fails(test, limits[test])), None)
        finally:
            target.write_bytes(original)


class Memory:
    """A file of JSON that outlives the run."""

    def __init__(self, path):
        self.path = path
        self.values = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def save(self):
        self.path.write_text(json.dumps(self.values, indent=1), encoding="utf-8")


def limits_of(tests, tree, memory, digest):
    """How long each test may take: several times what it takes without a mutant. All must pass so."""
    if memory.values.get("sources") != digest:
        memory.values = {"sources": digest, "seconds": {}}
    seconds = memory.values["seconds"]
    for test in tests:
        if test in seconds:
            continue
        tree.fails(test, 600)  # builds it
        started = time.monotonic()
        if why := tree.fails(test, 600):
            sys.exit(f"mutate: the test {test} {why} without any mutant")
        seconds[test] = round(time.monotonic() - started, 1)
        memory.save()
    return {test: 30 + 10 * seconds[test] for test in tests}


def main():
    place = Path(sys.argv[1]).resolve()
    chosen = [m for m in all_mutants() if len(sys.argv) == 2 or any(name in m.name for name in sys.argv[2:])]
    content = dict(sources())
    digest = hashlib.sha256(repr(sorted(content.items())).encode()).hexdigest()
    trees = [Tree(place / str(i), content) for i in range(min(os.cpu_count() or 1, len(chosen)))]
    limits = limits_of(sorted({t for m in chosen for t in m.tests}), trees[0], Memory(place / "tests.json"), digest) if trees else {}
    killers, free, lock = Memory(place / "killers.json"), queue.Queue(), threading.Lock()
    for tree in trees:
        free.put(tree)
    counts = {"killed": 0, "survived": 0, "failed": 0}

    def judge(mutant):
        tree, started = free.get(), time.monotonic()
        try:
            known = [test for test in [killers.values.get(mutant.name)] if test in mutant.tests]
            killer = tree.judge(mutant, list(dict.fromkeys([*known, *mutant.tests])), limits)
            outcome, verdict = ("killed", f"killed by {killer}") if killer else ("survived", "SURVIVED")
        except RuntimeError as error:
            outcome, verdict, killer = "failed", str(error), None
        free.put(tree)
        with lock:
            counts[outcome] += 1
            killers.values[mutant.name] = killer
            killers.save()
            print(f"{mutant.name}: {verdict}, {time.monotonic() - started:.0f} s", flush=True)

    with ThreadPoolExecutor(max(1, len(trees))) as pool:
        list(pool.map(judge, chosen))
    print(f"{counts['killed']} killed, {counts['survived']} survived" + (f", {counts['failed']} do not compile" if counts["failed"] else ""))
    return 0 if counts["killed"] == len(chosen) > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
