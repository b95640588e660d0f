#!/usr/bin/python3
"""How much of the library the tests run, and what of it they do not.

usage: coverage.py BUILD

BUILD is a Meson build folder with b_coverage in which the tests ran. Prints the statements of PARTS that no test ran,
as FILE:LINE, then a table of lines and branches. Exit status 1 when one of them is in STRICT, where bytes are parsed or
committed, and unreached.txt has no reason for it; or when a line of unreached.txt is out of date.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ["src/base", "src/codec", "src/format", "src/io", "src/os", "src/graph", "src/manager"]
STRICT = ["src/format", "src/io", "src/os"]


def measured(build):
    """What gcovr says of each file. Branches that only an exception takes do not count."""
    command = ["gcovr", "--root", str(ROOT), "--filter", "src/", "--json", "-", "--exclude-throw-branches", str(build / "src")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit("coverage: gcovr failed:\n" + done.stderr[-3000:])
    return json.loads(done.stdout)["files"]


def reasons():
    """{(file, first line of the statement): reason} of unreached.txt."""
    found = {}
    for line in (Path(__file__).parent / "unreached.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            file, text, reason = line.split(" | ")
            found[file, text] = reason
    return found


def statements(text):
    """For each line, by its number, that in which its statement begins."""
    first, begins = {}, True
    for number, line in enumerate(text, 1):
        code = line.split(" //")[0].strip()
        first[number] = number if begins else first[number - 1]
        begins = not code or code.endswith((";", "{", "}", ":", "*/")) or code.startswith(("//", "#"))
    return first


class Part:
    def __init__(self):
        self.lines = self.run = self.excused = self.branches = self.taken = 0

    def row(self, name):
        share = lambda some, of: f"{100 * some / of:.1f} %" if of else "-"
        return (
            f"{name:12} {self.lines:6} {self.run:6} {share(self.run, self.lines):>8} {self.excused:8}"
            f" {self.branches:9} {self.taken:6} {share(self.taken, self.branches):>8}"
        )


def main():
    parts, total = {name: Part() for name in PARTS}, Part()
    excuses, used, failed = reasons(), set(), False
    for entry in sorted(measured(Path(sys.argv[1]).resolve()), key=lambda entry: entry["file"]):
        file = entry["file"]
        folder = str(Path(file).parent)
        text = (ROOT / file).read_text(encoding="utf-8").splitlines()
        # A line of a template is there once for each instance.
        counts, branches = {}, {}
        for line in entry["lines"]:
            number = line["line_number"]
            if line.get("gcovr/noncode"):
                continue
            counts[number] = counts.get(number, 0) + line["count"]
            branches.setdefault(number, []).extend(line.get("branches", []))
        # Of a statement of several lines GCC counts some by what an exception would clean up: it ran when one of them did.
        first, ran = statements(text), {}
        for number, count in counts.items():
            ran[first[number]] = ran.get(first[number], 0) + count
        for number, count in sorted(counts.items()):
            count = ran[first[number]]
            key = (file, text[first[number] - 1].strip())
            taken = [branch["count"] > 0 for branch in branches[number] if not branch.get("throw")]
            for part in (parts[folder], total):
                part.lines += 1
                part.run += count > 0
                part.branches += len(taken)
                part.taken += sum(taken)
            if count > 0:
                continue
            if key in excuses:
                used.add(key)
                parts[folder].excused += 1
                total.excused += 1
            else:
                failed |= folder in STRICT
                if number == min(n for n in counts if first[n] == first[number]):
                    print(f"{file}:{number}: {key[1]}")
    for file, text in sorted(excuses.keys() - used):
        failed = True
        print(f"tests/coverage/unreached.txt is out of date: {file}: {text}")
    print(f"{'folder':12} {'lines':>6} {'run':>6} {'':8} {'excused':>8} {'branches':>9} {'taken':>6}")
    for name, part in parts.items():
        print(part.row(name))
    print(total.row("all"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
