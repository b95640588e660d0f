"""Finds the checks in a source file and makes a mutant of each: the check without one of its conditions.

A check is an `if` whose statement refuses: it throws, or gives back a problem. `a || b` are two conditions, and each is
taken away alone. So a check that is new has its mutants without being listed.
"""

import re

IF = re.compile(r"\bif \(")
REFUSES = re.compile(
    r"\{?\s*(return\s+)?"
    r"(throw\b|(\w+[.]|\w+->|\w+::)*(corrupt|fail|refuse\w*|bad_offsets|throw_system_error|problem|damaged)\("
    r"|\"|\{[.]problem|ErrorDetails|BadRule)"
)
REQUIRE = re.compile(r"^ +require\((?!condition|DType|const)", re.MULTILINE)


def closing(text, opening):
    """Where the bracket that opens at `opening` closes. Knows strings and characters."""
    depth, at = 0, opening
    while True:
        if text[at] in "\"'":
            quote = text[at]
            at += 1
            while text[at] != quote:
                at += 2 if text[at] == "\\" else 1
        elif text[at] in "([{":
            depth += 1
        elif text[at] in ")]}":
            depth -= 1
            if depth == 0:
                return at
        at += 1


def split(text, separator):
    """The parts of `text` between separators that stand in no brackets, with their places."""
    parts, start, at = [], 0, 0
    while at < len(text):
        if text[at] in "([{\"'":
            at = closing(text, at) if text[at] in "([{" else text.index(text[at], at + 1)
        elif text.startswith(separator, at):
            parts.append((start, at))
            at += len(separator) - 1
            start = at + 1
        at += 1
    return parts + [(start, len(text))]


def conditions(text, start, end):
    """(place, end, what takes its place) of each condition in the brackets of an `if`."""
    header = text[start:end]
    first, last = split(header, ";")[-1]
    if re.match(r"\s*(const\s+)?[\w:]+[*&]?\s+\w+ = ", header[first:last]):
        return [(end, end, "; false")]
    return [(start + first + a, start + first + b, " false ") for a, b in split(header[first:last], "||")]


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def checks_in(text):
    """(line, condition, the text without it) of each condition of each check."""
    found = []
    for match in IF.finditer(text):
        start = match.end()
        end = closing(text, start - 1)
        if not REFUSES.match(text, end + 1 + len(re.match(r"\s*", text[end + 1 :])[0])):
            continue
        for a, b, instead in conditions(text, start, end):
            shown = " ".join((text[a:b] or text[start:end]).split())
            found.append((line_of(text, a), shown, text[:a] + instead + text[b:]))
    for match in REQUIRE.finditer(text):
        start = match.end()
        a, b = split(text[start : closing(text, start - 1)], ",")[0]
        for c, d in split(text[start + a : start + b], "&&"):
            shown = " ".join(text[start + c : start + d].split())
            found.append((line_of(text, start), shown, text[: start + c] + " true " + text[start + d :]))
    return found
