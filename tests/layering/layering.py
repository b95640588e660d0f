#!/usr/bin/python3
"""Reads every #include of the project and fails on one that points the wrong way.

usage: layering.py ROOT

The rules are the tables below; docs/design.md gives the reasons. Exit status 0: all arrows are right, 1: some are
wrong (one line each), 2: nothing was found to read.
"""

import re
import sys
from pathlib import Path

# A folder of src/ may include itself and these.
LAYERS = {
    "base": set(),
    "os": {"base"},
    "codec": {"base"},
    "format": {"base"},
    "io": {"base", "os", "codec", "format"},
    # Objects and managers use directories, locks and sums, but what bytes mean is for io alone to know.
    "graph": {"base", "os", "codec", "io"},
    "manager": {"base", "os", "codec", "io", "graph"},
    "interop": {"base"},
    "capi": {"base"},
}

# Headers of include/ckpt that belong to a layer above the file layer: only that layer and those above may use them.
PUBLIC_LAYER = {
    "ckpt/reader.hpp": "io",
    "ckpt/writer.hpp": "io",
    "ckpt/trackable.hpp": "graph",
    "ckpt/variable.hpp": "graph",
    "ckpt/containers.hpp": "graph",
    "ckpt/async.hpp": "graph",
    "ckpt/checkpoint.hpp": "graph",
    "ckpt/restore.hpp": "graph",
    "ckpt/weights.hpp": "graph",
    "ckpt/garbage.hpp": "manager",
    "ckpt/history.hpp": "manager",
    "ckpt/manager.hpp": "manager",
    "ckpt/retention.hpp": "manager",
    "ckpt/session.hpp": "manager",
    "ckpt/watch.hpp": "manager",
    "ckpt/ckpt.hpp": "manager",
}

# These folders are written as a user would write: public headers, and whatever library they like.
USERS = ["tools", "examples", "bench"]

# One folder of src/ alone may include a header that one of its patterns matches.
OWNERS = {
    "os": r"csignal|(fcntl|unistd|dirent|poll|spawn|signal|syscall)\.h|sys/.+\.h|linux/.+\.h",
    "codec": r"(xxhash|xxh3|zstd|zstd_errors|zdict)\.h",
    "format": r"flatbuffers/.+|ckpt_generated\.h",
}

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*[<\"]([^>\"]+)[>\"]", re.MULTILINE)


def sources(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in {".cpp", ".hpp", ".h", ".cc"})


def includes(path):
    """The include names of a file with their line numbers."""
    text = path.read_text(encoding="utf-8")
    return [(text.count("\n", 0, m.start()) + 1, m.group(1)) for m in INCLUDE.finditer(text)]


def layer_of(name):
    """The folder of src/ that an include name reaches, or None."""
    first = name.split("/")[0]
    return first if first in LAYERS and "/" in name else None


def allowed(layer):
    return LAYERS[layer] | {layer}


def check_library_file(layer, name):
    """Why a file of src/<layer> may not include `name`, or None."""
    target = layer_of(name)
    if target is not None and target not in allowed(layer):
        return f"{layer} must not know {target}"
    public = PUBLIC_LAYER.get(name)
    # reader.hpp also holds plain enums and options, which the io layer's siblings do not need either.
    if public is not None and layer not in {"interop", "capi"} and public not in allowed(layer):
        return f"{layer} must not know {public}"
    return check_owner(layer, name)


def check_owner(layer, name):
    for owner, pattern in OWNERS.items():
        if layer != owner and re.fullmatch(pattern, name):
            return f"only src/{owner} may include it"
    return None


def check_public_header(name):
    """Public headers include the standard library and each other."""
    if name.startswith("ckpt/"):
        return None
    if "/" in name or name.endswith(".h"):
        return "a public header includes the standard library and <ckpt/...> alone"
    return None


def check_user_file(name):
    """Tools, examples and benchmarks see what an installed copy offers."""
    if layer_of(name) is not None:
        return "users of the library include <ckpt/...>, not its sources"
    if re.fullmatch(OWNERS["format"], name):
        return "only src/format may include it"
    return None


def problems(root):
    """All wrong arrows as (file, line, include name, reason), and the number of files that were read."""
    found, count = [], 0

    def look(paths, rule):
        nonlocal count
        for path in paths:
            count += 1
            for line, name in includes(path):
                reason = rule(name)
                if reason is not None:
                    found.append((path.relative_to(root), line, name, reason))

    for layer in LAYERS:
        look(sources(root / "src" / layer), lambda name, layer=layer: check_library_file(layer, name))
    look(sources(root / "include"), check_public_header)
    for folder in USERS:
        look(sources(root / folder), check_user_file)

    for path in sorted((root / "src").glob("*")):
        if path.is_dir() and path.name not in LAYERS:
            found.append((path.relative_to(root), 0, "", "a folder that this test does not know: give it its layer"))
    return found, count


def main():
    root = Path(sys.argv[1]).resolve()
    found, count = problems(root)
    for path, line, name, reason in found:
        print(f"{path}:{line}: #include {name}: {reason}")
    if count == 0:
        print(f"{root}: no source to read")
        return 2
    print(f"{count} files, {len(found)} arrows in the wrong direction")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
