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
OPTIONS = ["-Dtool=disabled", "-Dexamples=disabled", "-Dbench=disabled", "-Ddebug=false", "-Doptimization=1", "-Dcpp_args=-D_GLIBCXX_ASSERTIONS"]

# Seconds: for tests that hang.
LIMIT = 300


class Mutant:
    def __init__(self, name, file, text, first=()):
        self.name, self.file, self.text = name, file, text
        folder = str(Path(file).parent)
        self.tests = list(dict.fromkeys([*first, *TESTS_OF[folder]]))


def all_mutants():
    """Fails loudly when a list of mutants.py is out of date."""
    mutants, stale, spared = [], [], set()
    for name, file, old, new, first in MUTANTS:
        text = (ROOT / file).read_text(encoding="utf-8")
        if text.count(old) != 1:
            stale.append(f"{name}: {file} has its text {text.count(old)} times")
        mutants.append(Mutant(f"{file}: {name}", file, text.replace(old, new), first))
    for folder in CHECKED:
        for path in sorted((ROOT / folder).glob("*.cpp")):
            file = str(path.relative_to(ROOT))
            for line, shown, text in checks_in(path.read_text(encoding="utf-8")):
                key = (file, shown)
                spared |= {key} & SPARED.keys()
                if key not in SPARED:
                    mutants.append(Mutant(f"{file}:{line}: without {shown}", file, text))
    stale += [f"{file} has no check {shown}" for file, shown in SPARED.keys() - spared]
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

    def fails(self, test):
        """Builds the test and runs it: why it fails, or None."""
        program, *arguments = TESTS[test]
        built = run(["ninja", "-C", "build", program], cwd=self.place)
        if built.returncode != 0:
            raise RuntimeError("does not compile:\n" + built.stdout[-3000:])
        command = [str(self.place / "build" / program), *arguments]
        try:
            ended = run(command, cwd=self.place, timeout=LIMIT, env={**os.environ, "CKPT_TEST_KILLS": "30"})
        except subprocess.TimeoutExpired:
            return "does not end"
        return None if ended.returncode == 0 else "fails"

    def judge(self, mutant, tests):
        """The test that killed the mutant and how it failed, or None twice."""
        target = self.place / mutant.file
        original = target.read_bytes()
        target.write_text(mutant.text, encoding="utf-8")
        try:
            return next(((test, why) for test in tests if (why := self.fails(test))), (None, None))
        finally:
            target.write_bytes(original)


class Killers:
    """What killed which mutant, in a file: tried first the next time, also when the mutant is in another line by then."""

    def __init__(self, path):
        self.path = path
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        self.tests = {self.key(name): test for name, test in known.items() if test}

    @staticmethod
    def key(name):
        return re.sub(r":\d+: ", ": ", name)

    def add(self, mutant, test):
        self.tests[self.key(mutant.name)] = test
        self.path.write_text(json.dumps(self.tests, indent=1), encoding="utf-8")

    def order(self, mutant):
        known = [test for test in mutant.tests if test == self.tests.get(self.key(mutant.name))]
        return list(dict.fromkeys([*known, *mutant.tests]))


class Run:
    """Mutants that are judged, one in each tree at a time."""

    def __init__(self, place, count):
        content = dict(sources())
        self.trees = [Tree(place / str(i), content) for i in range(count)]
        self.killers = Killers(place / "killers.json")
        self.free, self.lock = queue.Queue(), threading.Lock()
        self.counts = {"killed": 0, "survived": 0, "failed": 0}
        self.used = set()
        for tree in self.trees:
            self.free.put(tree)

    def in_a_tree(self, action, items):
        def with_tree(item):
            tree = self.free.get()
            try:
                return action(tree, item)
            finally:
                self.free.put(tree)

        with ThreadPoolExecutor(len(self.trees)) as pool:
            return list(pool.map(with_tree, items))

    def require_passing(self, tests):
        for test, why in zip(tests, self.in_a_tree(Tree.fails, tests)):
            if why:
                sys.exit(f"mutate: the test {test} {why} without any mutant")

    def judge(self, tree, mutant):
        started, killer = time.monotonic(), None
        try:
            killer, why = tree.judge(mutant, self.killers.order(mutant))
            outcome, verdict = ("killed", f"killed by {killer}, which {why}") if killer else ("survived", "SURVIVED")
        except RuntimeError as error:
            outcome, verdict = "failed", str(error)
        with self.lock:
            self.counts[outcome] += 1
            self.used |= {killer} - {None}
            self.killers.add(mutant, killer)
            print(f"{mutant.name}: {verdict}, {time.monotonic() - started:.0f} s", flush=True)


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    chosen = [m for m in all_mutants() if len(sys.argv) == 2 or any(name in m.name for name in sys.argv[2:])]
    if not chosen:
        sys.exit("mutate: no mutant has such a name")
    judging = Run(Path(sys.argv[1]).resolve(), min(os.cpu_count() or 1, len(chosen)))
    # A test that fails anyway would kill everything.
    first = sorted({mutant.tests[0] for mutant in chosen})
    judging.require_passing(first)
    judging.in_a_tree(judging.judge, chosen)
    judging.require_passing(sorted(judging.used - set(first)))
    counts = judging.counts
    print(f"{counts['killed']} killed, {counts['survived']} survived" + (f", {counts['failed']} do not compile" if counts["failed"] else ""))
    return 0 if counts["killed"] == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
