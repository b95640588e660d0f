#!/usr/bin/python3
"""An installed copy of ckpt serves a foreign project, and the programs of README.md do what it says.

usage: consumers_test.py meson|pkg-config|readme SOURCE_ROOT BUILD_ROOT MESON COMPILER...
       consumers_test.py guide SOURCE_ROOT GUIDE TENSORFLOW

meson and pkg-config install into a temporary folder, build the three programs against that copy alone and run them.
readme checks that README.md shows the programs as they are here; guide the same for the snippets of docs/guide.md, which
stand in guide.cpp or an example, and for the lines of its table beside TensorFlow, which stand in guide_tensorflow.cpp.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAMS = ["save", "load", "resume"]
HERE = Path(__file__).resolve().parent


def run(command, **options):
    """Runs a command; its output when it succeeded, else the end of the test."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        print(done.stdout)
        sys.exit(f"status {done.returncode}: {' '.join(map(str, command))}")
    return done.stdout


def expect(found, wanted):
    if found != wanted:
        sys.exit(f"expected:\n{wanted}\nfound:\n{found}")


def install(meson, build, prefix):
    """Installs and returns an environment in which pkg-config sees that copy and the system's libraries."""
    run([meson, "install", "-C", build, "--no-rebuild", "--destdir", prefix])
    found = list(prefix.rglob("ckpt.pc"))
    if len(found) != 1:
        sys.exit(f"one ckpt.pc is expected, found {found}")
    libraries = found[0].parent.parent
    # A staged copy is not where it was configured to be, unless its pkg-config file finds itself.
    text = found[0].read_text(encoding="utf-8")
    place = lambda match: f"prefix={prefix}{match[1]}"
    found[0].write_text(re.sub(r"^prefix=(/.*)$", place, text, flags=re.MULTILINE), encoding="utf-8")
    return {**os.environ, "PKG_CONFIG_PATH": str(found[0].parent), "LD_LIBRARY_PATH": str(libraries)}


def build_with_meson(meson, compiler, project, env):
    shutil.copy(HERE / "meson_project" / "meson.build", project)
    run([meson, "setup", "build"], cwd=project, env={**env, "CXX": " ".join(compiler)})
    run([meson, "compile", "-C", "build"], cwd=project, env=env)
    return project / "build"


def build_with_pkg_config(compiler, project, env):
    for program in PROGRAMS:
        flags = {what: run(["pkg-config", what, "ckpt"], env=env).split() for what in ["--cflags", "--libs"]}
        if any(flag.startswith("-D") for flag in flags["--cflags"]):
            sys.exit(f"defines of the library's own: {flags['--cflags']}")
        run([*compiler, "-std=c++20", f"{program}.cpp", *flags["--cflags"], *flags["--libs"], "-o", program], cwd=project)
    return project


def use(programs, folder, env):
    """Runs the three programs as the README does."""
    expect(run([programs / "save"], cwd=folder, env=env), "")
    expect(run([programs / "load"], cwd=folder, env=env), "net/l1/bias [5]\nnet/l1/kernel [10, 5]\n0.5\n")
    expect(run([programs / "resume"], cwd=folder, env=env), 'step 10, newest "runs/toy/ckpt-10.ckpt"\n')
    expect(run([programs / "resume"], cwd=folder, env=env), 'step 20, newest "runs/toy/ckpt-20.ckpt"\n')
    kept = sorted(p.name for p in (folder / "runs" / "toy").glob("*.ckpt") if not p.name.startswith("."))
    expect(kept, ["ckpt-18.ckpt", "ckpt-19.ckpt", "ckpt-20.ckpt"])


def readme(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    for program in PROGRAMS:
        code = (HERE / f"{program}.cpp").read_text(encoding="utf-8")
        if f"```cpp\n{code}```\n" not in text:
            sys.exit(f"README.md does not show tests/consumers/{program}.cpp as it is")
        if len(code.splitlines()) > 24:
            sys.exit(f"{program}.cpp has grown: the README promises about 20 lines")
    print("README.md shows", ", ".join(PROGRAMS))


GUIDE_SAYS = """\
step 1000
best at step 550
the same random numbers
2 matched, 0 mismatched, 2 missing, 0 extra, renames without effect: blocks/*/attention from h/*/attn
new: head/bias
new: head/kernel
"runs/kept/ckpt-1.ckpt" stays: among the newest 3 (max_to_keep)
evaluated ckpt-100.ckpt
50 weights
loss 0.25
"""


TENSORFLOW_SAYS = """\
restored "runs/tf/ckpt-7.ckpt"
net/blocks/0/bias [5]
evaluated
"""


def squeezed(text):
    return " ".join(text.split())


def require_compiled(pieces, sources, what):
    """Each piece stands in one of the sources, indented or not."""
    if not pieces:
        sys.exit(f"docs/guide.md has no {what}")
    code = squeezed("\n".join(source.read_text(encoding="utf-8") for source in sources))
    for piece in pieces:
        if squeezed(piece) not in code:
            sys.exit(f"{' and '.join(s.name for s in sources)} lack this {what} of docs/guide.md:\n{piece}")


def guide(root, program, tensorflow):
    text = (root / "docs" / "guide.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```cpp\n(.*?)```", text, re.DOTALL)
    require_compiled(snippets, [HERE / "guide.cpp", root / "examples" / "engine_tensors.cpp"], "snippet")
    rows = re.findall(r"^\|.*\|.*\|(.*)\|$", text.split("## Coming from TensorFlow")[1], re.MULTILINE)
    lines = [line for row in rows for line in re.findall(r"`(.*?)`", row)]
    require_compiled(lines, [HERE / "guide_tensorflow.cpp"], "line")
    for path, says in [(program, GUIDE_SAYS), (tensorflow, TENSORFLOW_SAYS)]:
        with tempfile.TemporaryDirectory(prefix="ckpt-guide-") as folder:
            expect(run([path, folder]), says)
    print(len(snippets), "snippets and", len(lines), "lines compared, compiled and run")


def main():
    how, root, build, meson, *compiler = sys.argv[1:]
    if how == "readme":
        readme(Path(root))
        return
    if how == "guide":
        guide(Path(root), build, meson)
        return
    with tempfile.TemporaryDirectory(prefix="ckpt-consumer-") as folder:
        project, prefix = Path(folder) / "project", Path(folder) / "installed"
        project.mkdir()
        for program in PROGRAMS:
            shutil.copy(HERE / f"{program}.cpp", project)
        env = install(meson, build, prefix)
        if how == "meson":
            programs = build_with_meson(meson, compiler, project, env)
        else:
            programs = build_with_pkg_config(compiler, project, env)
        work = Path(folder) / "work"
        work.mkdir()
        use(programs, work, env)
        print(f"installed, built through {how}, and run")


if __name__ == "__main__":
    main()
