#!/usr/bin/python3
"""Tests the layering test: each kind of wrong arrow, planted alone into a small tree, is found."""

import tempfile
import unittest
from pathlib import Path

import layering

GOOD = {
    "include/ckpt/reader.hpp": "#include <ckpt/error.hpp>\n#include <vector>\n",
    "src/base/checked.hpp": "#include <ckpt/error.hpp>\n#include <limits>\n",
    "src/os/file.cpp": '#include "os/file.hpp"\n#include "base/text.hpp"\n#include <sys/mman.h>\n#include <fcntl.h>\n',
    "src/codec/zstd.cpp": '#include "codec/zstd.hpp"\n#include <zstd.h>\n',
    "src/format/index.cpp": '#include "format/index.hpp"\n#include <ckpt_generated.h>\n#include <flatbuffers/x.h>\n',
    "src/io/reader.cpp": '#include <ckpt/reader.hpp>\n#include "codec/zstd.hpp"\n#include "os/file.hpp"\n',
    "src/graph/checkpoint.cpp": "#include <ckpt/checkpoint.hpp>\n#include <ckpt/reader.hpp>\n",
    "src/manager/manager.cpp": "#include <ckpt/manager.hpp>\n#include <ckpt/checkpoint.hpp>\n",
    "tools/ckptdump/main.cpp": "#include <ckpt/reader.hpp>\n#include <unistd.h>\n#include <CLI/CLI.hpp>\n",
}

WRONG = {
    "base knows os": ("src/base/checked.hpp", '#include "os/file.hpp"'),
    "os knows format": ("src/os/file.cpp", '#include "format/index.hpp"'),
    "codec knows os": ("src/codec/zstd.cpp", '#include "os/file.hpp"'),
    "format knows codec": ("src/format/index.cpp", '#include "codec/zstd.hpp"'),
    "format knows io through a public header": ("src/format/index.cpp", "#include <ckpt/writer.hpp>"),
    "io knows graph": ("src/io/reader.cpp", '#include "graph/node.hpp"'),
    "io knows graph through a public header": ("src/io/reader.cpp", "#include <ckpt/checkpoint.hpp>"),
    "graph knows manager": ("src/graph/checkpoint.cpp", "#include <ckpt/manager.hpp>"),
    "graph knows format": ("src/graph/checkpoint.cpp", '#include "format/index.hpp"'),
    "os knows manager": ("src/os/file.cpp", '#include "manager/state.hpp"'),
    "manager knows format": ("src/manager/manager.cpp", '#include "format/index.hpp"'),
    "io makes a system call": ("src/io/reader.cpp", "#include <sys/mman.h>"),
    "an indented system header": ("src/io/reader.cpp", "  #  include <fcntl.h>"),
    "io compresses by itself": ("src/io/reader.cpp", "#include <zstd.h>"),
    "os hashes": ("src/os/file.cpp", "#include <xxhash.h>"),
    "io reads FlatBuffers": ("src/io/reader.cpp", "#include <flatbuffers/flatbuffers.h>"),
    "io sees generated code": ("src/io/reader.cpp", '#include "ckpt_generated.h"'),
    "a public header shows the sources": ("include/ckpt/reader.hpp", '#include "io/reader_impl.hpp"'),
    "a public header shows FlatBuffers": ("include/ckpt/reader.hpp", "#include <flatbuffers/flatbuffers.h>"),
    "a public header shows the system": ("include/ckpt/reader.hpp", "#include <unistd.h>"),
    "a tool sees the sources": ("tools/ckptdump/main.cpp", '#include "io/reader_impl.hpp"'),
    "a tool sees generated code": ("tools/ckptdump/main.cpp", "#include <ckpt_generated.h>"),
}


class LayeringTest(unittest.TestCase):
    def tree(self, folder, extra=None):
        root = Path(folder)
        for name, text in GOOD.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + (extra[1] + "\n" if extra and extra[0] == name else ""), encoding="utf-8")
        return root

    def test_right_arrows_are_accepted(self):
        with tempfile.TemporaryDirectory() as folder:
            found, count = layering.problems(self.tree(folder))
        self.assertEqual(found, [])
        self.assertEqual(count, len(GOOD))

    def test_each_wrong_arrow_is_found(self):
        for title, (name, line) in WRONG.items():
            with self.subTest(title), tempfile.TemporaryDirectory() as folder:
                found, _ = layering.problems(self.tree(folder, (name, line)))
                self.assertEqual([str(f[0]) for f in found], [name])
                self.assertEqual(found[0][1], GOOD[name].count("\n") + 1)

    def test_an_unknown_folder_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            root = self.tree(folder)
            (root / "src" / "cloud").mkdir()
            found, _ = layering.problems(root)
        self.assertEqual([str(f[0]) for f in found], ["src/cloud"])


if __name__ == "__main__":
    unittest.main()
