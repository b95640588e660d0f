#!/usr/bin/python3
"""Tests peers_driver with tiny models: what it saves it loads, what is wrong it says.

usage: driver_test.py DRIVER
"""

import sys
import tempfile
import unittest
from pathlib import Path

from measure import Case, Row, interleave
from processes import Failed, Process
from scene import many, some_paths, transformer

DRIVER = sys.argv.pop(1) if len(sys.argv) > 1 else "peers_driver"
SIZE = 1 << 20


class DriverTest(unittest.TestCase):
    def setUp(self):
        # Beside the program: where tests run, /tmp may refuse direct I/O.
        self.work = tempfile.TemporaryDirectory(dir=Path(DRIVER).resolve().parent)
        self.addCleanup(self.work.cleanup)
        self.driver = Process([DRIVER])
        self.addCleanup(self.driver.close)
        self.lines = transformer(SIZE)
        self.model = self.driver("model", layout=self.write("layout", "\n".join(self.lines)))

    def file(self, name):
        return Path(self.work.name) / name

    def write(self, name, content):
        self.file(name).write_text(content, encoding="utf-8")
        return self.file(name)

    def saved(self, **fields):
        file = self.file("model.ckpt")
        self.driver("save", file=file, durable=0, **fields)
        return file

    def test_the_model_is_what_the_layout_says(self):
        self.assertEqual(len(self.lines), 300)
        self.assertEqual(self.model["tensors"], 300)
        self.assertEqual(self.model["bytes"], SIZE)

    def test_every_way_to_read_gives_what_was_saved(self):
        for compression in ("none", "zstd"):
            file = self.saved(compression=compression)
            for name, fields in (("sum", {"threads": 1}), ("sum", {"threads": 0}), ("read_into", {"mode": "read"}),
                                 ("read_into", {"mode": "mmap", "verify": 1}), ("restore", {"verify": 1}),
                                 ("restore", {}),
                                 ("restore", {"verify": 1, "check_first": 0})):
                with self.subTest(name=name, compression=compression, **fields):
                    answer = self.driver(name, file=file, **fields)
                    self.assertEqual(answer["sum"], self.model["sum"])
                    self.assertGreater(answer["seconds"], 0)

    def test_data_from_a_file_is_saved_and_compressed(self):
        data = self.file("data")
        data.write_bytes(bytes(range(8)) * (SIZE // 8))
        model = self.driver("model", layout=self.file("layout"), data=data)
        self.assertEqual(model["sum"], int.from_bytes(bytes(range(8)), "little") * (SIZE // 8) % 2**64)
        stored = self.driver("stored", file=self.saved(compression="zstd"))
        self.assertEqual(stored["bytes"], SIZE)
        self.assertLess(stored["stored"], SIZE // 2)

    def test_less_memory_than_bytes_is_used_again(self):
        model = self.driver("model", layout=self.write("many", "\n".join(many(10, 131072))), memory_mib=1)
        self.assertEqual(model["bytes"], 10 * 131072 * 4)
        self.assertEqual(self.driver("sum", file=self.saved())["sum"], model["sum"])

    def test_opening_and_binding(self):
        self.driver("model", layout=self.write("many", "\n".join(many(1000))))
        file = self.saved()
        paths = some_paths(many(1000))
        self.assertEqual(len(paths.split(",")), 16)
        self.assertGreater(self.driver("open_one", file=file, paths=paths, times=20)["seconds"], 0)
        self.assertEqual(self.driver("bind_all", file=file)["tensors"], 1000)
        self.assertGreater(self.driver("limit_records", file=file)["bytes"], 1000 * 16)
        self.assertGreater(self.driver("limit_open", file=file, times=20)["seconds"], 0)
        self.assertEqual(self.driver("keep", file=file, path=paths.split(",")[0])["sum"] >= 0, True)

    def test_limits_work_on_the_same_bytes(self):
        self.assertEqual(self.driver("limit_memcpy", threads=0)["sum"], self.model["sum"])
        self.assertEqual(self.driver("limit_sum", threads=0)["sum"], self.model["sum"])
        self.assertGreater(self.driver("limit_xxh3", threads=1)["seconds"], 0)
        modes = ["early", "cached"]
        if self.driver("direct_io", file=self.work.name)["allowed"]:
            modes.append("direct")
        else:
            print("SKIPPED: direct I/O: the file system refuses it")
        for mode in modes:
            with self.subTest(mode):
                self.driver("limit_write", file=self.file(mode), mode=mode)
                self.assertEqual(self.file(mode).stat().st_size, SIZE)
        self.assertEqual(self.file("early").read_bytes(), self.file("cached").read_bytes())
        if "direct" in modes:
            self.assertEqual(self.file("early").read_bytes(), self.file("direct").read_bytes())
            self.assertEqual(self.driver("limit_read", file=self.file("direct"))["sum"], self.model["sum"])

    def test_saving_in_the_background(self):
        for mode in ("copy", "hand_off"):
            answer = self.driver("save_async", file=self.file("model.ckpt"), mode=mode)
            self.assertGreaterEqual(answer["steps"], 1)
            self.assertGreater(answer["alone"], 0)
            self.assertEqual(self.driver("sum", file=self.file("model.ckpt"))["sum"], self.model["sum"])

    def test_damage_and_wrong_requests_are_errors(self):
        file = self.saved()
        content = bytearray(file.read_bytes())
        for at in range(len(content) // 4, len(content) * 3 // 4, 997):  # some of them in padding
            content[at] ^= 1
        file.write_bytes(content)
        for name, fields in (("verify", {"file": file}), ("read_into", {"file": file, "mode": "read"}),
                             ("restore", {"file": file, "verify": 1}), ("sum", {"file": self.file("none")}),
                             ("sum", {}), ("nonsense", {}), ("save", {"file": file, "compression": "nonsense"})):
            with self.subTest(name), self.assertRaises(Failed):
                self.driver(name, **fields)
        self.assertEqual(self.driver("limit_sum")["sum"], self.model["sum"])  # and it goes on

    def test_the_machine_and_the_memory_are_told(self):
        self.assertIn("Linux", self.driver("machine", file=self.work.name)["kernel"])
        self.assertGreater(self.driver.status("VmRSS"), SIZE)
        self.assertGreater(self.driver.status("Pss"), SIZE)


class MeasureTest(unittest.TestCase):
    def test_rounds_medians_and_ratios(self):
        calls = []

        def answers(name, values):
            values = iter(values)

            def run():
                calls.append(name)
                return {"seconds": next(values)}
            return run

        ckpt = Case("ckpt", "ckpt", answers("ckpt", [1, 2, 9]))
        limit = Case("limit", "limit", answers("limit", [1, 1, 1]))
        interleave([ckpt, limit], 3)
        for round in range(3):
            self.assertEqual(sorted(calls[2 * round:2 * round + 2]), ["ckpt", "limit"])
        self.assertEqual(ckpt.median(), 2)
        row = Row(1, "title", "folder")
        row.share_of(limit, ckpt, 0.95)
        row.times_of(ckpt, limit, 2)
        row.faster_than(None, ckpt, 2)
        self.assertEqual([(r["value"], r["reached"]) for r in row.ratios], [(0.5, False), (2.0, True)])
        self.assertEqual(len(row.notes), 1)


if __name__ == "__main__":
    unittest.main()
