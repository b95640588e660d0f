#!/usr/bin/python3
"""Finds raw arithmetic on numbers that came from a file: sums, products and shifts that are not base::Checked.

usage: arithmetic.py ROOT

In src/format and src/io, what an accessor of the schema returns is a number of a file, and so is a member of
TensorRecord or Footer, what load() reads, and every variable that is made of one of these in the same function. +, -, *
and << on such a number must have a base::Checked on the same level of brackets, or a comment on that line, or right
above it, that begins with "No wrap:" and says why the result fits; the same where a variable is made lets its uses
pass. Exit status 0: nothing was found, 1: something (one line each), 2: there was nothing to read.

It reads text, not types, and relies on clang-format: a binary operator has blanks around it. What passes through the
parameters of a function it does not see.
"""

import re
import sys
from pathlib import Path

FOLDERS = ["src/format", "src/io"]

# These make files: their numbers are the program's own.
WRITERS = {"index_builder", "object_columns", "path_set", "writer", "tensor_writer", "graph_check", "value_check"}

# Structs whose members hold what the file says: (where it is, its name, what its objects are called).
RECORDS = [
    ("src/format/tensor_record.hpp", "TensorRecord", "record|record_"),
    ("src/format/header.hpp", "Footer", "footer|footer_"),
    ("src/format/structure_check.cpp", "Use", "use"),
    ("src/format/structure_check.cpp", "Blob", "blob"),
]

# Functions that read a number.
READS = r"(?<![\w.>])(?:load|number)\s*\(|\b(?:frame_size|chunk_sum)\s*\("

REASON = "No wrap:"
OPERATOR = re.compile(r"(?<=[\w)\]}]) (?:\+|-|\*|<<)=?(?=\s)")
SEPARATOR = re.compile(r"[,;?:]|&&|\|\||[=!<>]=|(?<![=!<>+\-*])=(?!=)|(?<= )[<>](?= )|\breturn\b")
NAME = r"[A-Za-z_]\w*"


def schema_fields(text):
    """Names of the fields of all structs of a FlatBuffers schema."""
    bodies = re.findall(r"^struct\s+\w+\s*\{(.*?)^\}", text, re.S | re.M)
    return {field for body in bodies for field in re.findall(rf"^\s*({NAME})\s*:", body, re.M)}


def members(text, struct):
    """Names of the integer members of a struct."""
    body = re.search(rf"^\s*struct {struct} \{{(.*?)^\s*\}};", text, re.S | re.M)
    return set(re.findall(rf"std::u?int\d+_t ({NAME})\b", body.group(1))) if body else set()


def source_of_numbers(root):
    """A pattern for an expression that is a number of a file."""
    fields = schema_fields((root / "schema/ckpt.fbs").read_text(encoding="utf-8"))
    patterns = [READS, r"\.(?:" + "|".join(sorted(fields)) + r")\(\)"]
    for file, struct, objects in RECORDS:
        names = members((root / file).read_text(encoding="utf-8"), struct)
        if not fields or not names:
            raise SystemExit("the schema or a record has no fields: this check looks in the wrong place")
        patterns.append(rf"\b(?:{objects})\.(?:" + "|".join(sorted(names)) + r")\b(?!\()")
    return re.compile("|".join(patterns))


def blanked(text):
    """The text without comments, literals, preprocessor lines and template arguments; lines stay where they are."""
    def same_lines(match):
        return re.sub(r"[^\n]", " ", match.group(0))

    text = re.sub(r"//[^\n]*|/\*.*?\*/|^[ \t]*#[^\n]*", same_lines, text, flags=re.S | re.M)
    text = re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', lambda m: '"' + " " * (len(m.group(0)) - 2) + '"', text)
    arguments = re.compile(r"(?<=\w)<[\w:,\s*&]*>(?=[\s(){},;&*>:])")
    while arguments.search(text):
        text = arguments.sub(same_lines, text)
    return text


def segments(text):
    """(start, end) of each run of tokens of one level of brackets between separators; inner brackets belong to it."""
    starts, found = [], []
    start = 0
    position = 0
    while position < len(text):
        char = text[position]
        if char in "([{":
            starts.append(start)
            start = position + 1
        elif char in ")]}":
            found.append((start, position))
            start = starts.pop() if starts else position + 1
        else:
            separator = SEPARATOR.match(text, position)
            if separator and not is_scope(text, position):
                found.append((start, position))
                position = separator.end()
                start = position
                continue
        position += 1
    found.append((start, len(text)))
    return found


def is_scope(text, position):
    return text[position] == ":" and (text[position:position + 2] == "::" or text[position - 1:position + 1] == "::")


def without_brackets(text):
    """The outermost level: what is in brackets becomes blanks."""
    out, depth = [], 0
    for char in text:
        if char in ")]}":
            depth = max(0, depth - 1)
        out.append(char if depth == 0 or char == "\n" else " ")
        if char in "([{":
            depth += 1
    return "".join(out)


def functions(text):
    """Parts of a file that end where a function does: a closing bracket at the margin, or two blanks from it."""
    ends = [m.end() for m in re.finditer(r"^ {0,2}\}", text, re.M)] + [len(text)]
    begin = 0
    for end in ends:
        yield begin, end
        begin = end


def derived_names(text, source, checked, is_justified_at):
    """Variables of a function that are made of numbers of a file. Those that are Checked are added to `checked`."""
    tainted = set()
    definition = re.compile(rf"(?:\b(?:const )?[\w:]+&? )?\b({NAME})\s*(?:[+*-]?=(?!=)|\{{)([^;]*?)(?=;|\)\s*\{{)")
    while True:
        before = len(tainted) + len(checked)
        for match in definition.finditer(text):
            name, value = match.groups()
            is_plain = re.search(r"\.(value|get|fits|valid)\(", value)
            if not is_plain and re.search(r"\bChecked\b", without_brackets(value)):
                checked.add(name)
            elif mentions(value, source, tainted) and not is_no_number(value) and not is_justified_at(match.start(1)):
                tainted.add(name)
        if len(tainted) + len(checked) == before:
            return tainted - checked


def is_no_number(value):
    """Whether the expression is a truth or a text."""
    return re.search(r"[=!<>]=|&&|\|\|| [<>] |\?|\bwhy_not_", value)


def has_checked(text, names):
    """Whether something on the outermost level is Checked; parentheses that only group belong to it."""
    while (calls_gone := re.sub(r"(?<=[\w>])\([^()]*\)", "", text)) != text:
        text = calls_gone
    level = without_brackets(re.sub(r"\(([^()]*)\)", r" \1 ", text))
    return re.search(r"\bChecked\b", level) or any(re.search(rf"\b{name}\b", level) for name in names)


def mentions(text, source, names):
    if source.search(text):
        return True
    return any(re.search(rf"(?<![\w.]){name}\b(?!\s*\()", text) for name in names)


def problems_of(text, source):
    """Lines with raw arithmetic on numbers of a file."""
    lines = text.split("\n")
    plain = blanked(text)
    members_checked = set(re.findall(rf"\bChecked ({NAME})\b", plain))
    found = set()
    for begin, end in functions(plain):
        body = plain[begin:end]
        checked = set(members_checked)

        def is_justified_at(position, begin=begin):
            return is_justified(lines, plain.count("\n", 0, begin + position) + 1)

        tainted = derived_names(body, source, checked, is_justified_at)
        for first, last in segments(body):
            part = body[first:last]
            level = without_brackets(part)
            if has_checked(part, checked) or "string" in part:
                continue
            for operator in OPERATOR.finditer(level):
                if '"' in level or not mentions(part, source, tainted):
                    continue
                found.add(plain.count("\n", 0, begin + first + operator.start()) + 1)
    return sorted(line for line in found if not is_justified(lines, line))


def is_justified(lines, line):
    """Whether there is a reason on the line or in the comment that ends on the line before."""
    if REASON in lines[line - 1]:
        return True
    above = line - 2
    while above >= 0 and lines[above].lstrip().startswith("//"):
        if REASON in lines[above]:
            return True
        above -= 1
    return False


def problems(root):
    """All such lines as (file, line, text), and the number of files that were read."""
    source = source_of_numbers(root)
    found, count = [], 0
    for folder in FOLDERS:
        for path in sorted((root / folder).glob("*.?pp")):
            if path.stem in WRITERS:
                continue
            count += 1
            text = path.read_text(encoding="utf-8")
            for line in problems_of(text, source):
                found.append((path.relative_to(root), line, text.split("\n")[line - 1].strip()))
    return found, count


def main():
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    found, count = problems(Path(sys.argv[1]))
    for path, line, text in found:
        print(f"{path}:{line}: raw arithmetic on a number of a file: {text}")
    print(f"{count} files, {len(found)} raw sums or products of numbers of a file")
    return 2 if count == 0 else 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
