#!/usr/bin/env python3
"""docs/reader.py, the second reader, against the golden files: reader_test.py SOURCE_ROOT MAKE_GOLDEN"""
import json
import math
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

try:
    import xxhash
    import zstandard  # noqa: F401  (the reader needs it)
except ImportError as missing:
    print(f"SKIPPED: {missing}; install python3-xxhash and python3-zstandard")
    sys.exit(77)

ROOT, MAKE_GOLDEN = pathlib.Path(sys.argv[1]), sys.argv[2]
GOLDEN = ROOT / "tests" / "golden" / "v1"
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "docs"), str(ROOT / "tests" / "format")]
import hexdump  # noqa: E402
import reader  # noqa: E402


def xxh3(data):
    return xxhash.xxh3_64_intdigest(bytes(data))


def seal(data):
    """Recomputes page sums and footer, as an attacker would."""
    offset, size = struct.unpack_from("<QQ", data, len(data) - 64)
    start, end = offset, offset + size
    while True:
        sums = b"".join(struct.pack("<Q", xxh3(data[page:min(page + 4096, end)])) for page in range(start, end, 4096))
        data[end:end + len(sums)] = sums
        start, end = end, end + len(sums)
        if len(sums) <= 4096:
            break
    struct.pack_into("<Q", data, len(data) - 48, xxh3(sums))
    struct.pack_into("<Q", data, len(data) - 16, xxh3(data[-64:-16]))


def seal_chunk(data, checkpoint, tensor, chunk):
    """Recomputes the sum of a chunk; the caller seals the index."""
    rank = tensor["rank"]
    fields = struct.pack(f"<xHB{rank}qQ", tensor["dtype"], rank, *tensor["shape"], tensor["data_size"])
    seed = xxh3(tensor["path"].encode() + fields) + chunk
    sizes = tensor["frames"] or [checkpoint.chunk_size] * tensor["chunk_count"]
    start = tensor["blob_offset"] + sum(sizes[:chunk])
    stored = data[start:min(start + sizes[chunk], tensor["blob_offset"] + tensor["blob_size"])]
    at = checkpoint.index_offset + checkpoint.vectors["chunk_sums"][0] + 8 * (tensor["first_chunk"] + chunk)
    struct.pack_into("<Q", data, at, xxhash.xxh3_64_intdigest(bytes(stored), seed=seed % (1 << 64)))


class ReaderTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="ckpt-test-")
        self.addCleanup(self.directory.cleanup)
        self.scratch = pathlib.Path(self.directory.name) / "scratch.ckpt"

    def use(self, data):
        """Opens and verifies bytes as a file; the outcome is an error of the reader, or None."""
        self.scratch.write_bytes(data)
        try:
            checkpoint = reader.Checkpoint(self.scratch)
            checkpoint.verify()
            for tensor in checkpoint.tensors:
                checkpoint.values(tensor)
            reader.summary(checkpoint)
        except reader.CheckpointError as problem:
            return problem
        return None

    def another(self, generator, byte):
        return generator.choice((0, 1, 0x7F, 0x80, 0xFF, byte ^ 1 << generator.randrange(8)))

    def test_golden_files_read_as_expected(self):
        files = sorted(GOLDEN.glob("*.ckpt"))
        self.assertTrue(files)
        self.assertEqual([file.stem for file in files], sorted(file.stem for file in GOLDEN.glob("*.json")))
        for file in files:
            with self.subTest(file=file.name):
                checkpoint = reader.Checkpoint(file)
                checkpoint.verify()
                self.assertEqual(reader.summary(checkpoint), json.loads(file.with_suffix(".json").read_text("utf-8")))

    def test_two_levels_of_page_sums(self):
        subprocess.run([MAKE_GOLDEN, self.directory.name, "levels"], check=True)
        file = pathlib.Path(self.directory.name) / "levels.ckpt"
        checkpoint = reader.Checkpoint(file)
        self.assertGreater(checkpoint.index_size, 2 << 20)
        checkpoint.verify()
        self.assertEqual(reader.summary(checkpoint), json.loads(file.with_suffix(".json").read_text("utf-8")))

    def test_command(self):
        command = [sys.executable, str(ROOT / "docs" / "reader.py")]
        good = subprocess.run(command + [str(GOLDEN / "graph.ckpt")], capture_output=True, text=True, check=True)
        self.assertEqual(json.loads(good.stdout), json.loads((GOLDEN / "graph.json").read_text("utf-8")))
        self.scratch.write_bytes((GOLDEN / "graph.ckpt").read_bytes()[:-1])
        bad = subprocess.run(command + [str(self.scratch)], capture_output=True, text=True)
        self.assertEqual((bad.returncode, bad.stdout), (1, ""))
        self.assertIn("there is no footer", bad.stderr)
        self.assertNotIn("Traceback", bad.stderr)

    def test_values(self):
        checkpoint = reader.Checkpoint(GOLDEN / "dtypes.ckpt")
        values = {tensor["path"]: checkpoint.values(tensor) for tensor in checkpoint.tensors}
        inf = math.inf
        expected = {
            "t/bool": [True, False, True], "t/i8": [-128, 1, 127], "t/i16": [-32768, 1, 32767],
            "t/i32": [-2 ** 31, 1, 2 ** 31 - 1], "t/i64": [-2 ** 63, 1, 2 ** 63 - 1], "t/u8": [0, 1, 255],
            "t/u16": [0, 1, 65535], "t/u32": [0, 1, 2 ** 32 - 1], "t/u64": [0, 1, 2 ** 64 - 1],
            "t/f16": [1, -2, inf, 2.0 ** -24], "t/bf16": [1, -2, -inf, 2.0 ** -133], "t/f32": [1.5, -2.25, inf, 0],
            "t/f64": [0.1, -1e300], "t/c64": [1 - 2j, 0.5], "t/c128": [0.1 - 0.2j],
            "t/f6_e2m3": [0.125, 0.125, 0.25, -7.5], "t/f6_e3m2": [0.0625, 0.0625, 0.125, -28, 28, 0, 0, 0],
            "t/f4_e2m1": [0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6],
            "t/i4": [7, -8, 1, -1], "t/u4": [7, 8, 1, 15], "t/string": ["", "ckpt", "Z\u00fcrich"],
            "t/bytes": [b"\0\xff", b"", b"x", b"y" * 300], "t/block": bytes(range(36)), "t/block8": bytes(range(68))}
        for path, wanted in expected.items():
            self.assertEqual(values[path], wanted, path)
        small = {  # code: value, from the definitions of the types
            "t/f8_e4m3fn": {0x00: 0, 0x01: 2.0 ** -9, 0x38: 1, 0x7E: 448, 0xB8: -1, 0xFE: -448},
            "t/f8_e5m2": {0x00: 0, 0x01: 2.0 ** -16, 0x3C: 1, 0x7B: 57344, 0x7C: inf, 0xFC: -inf},
            "t/f8_e4m3fnuz": {0x00: 0, 0x01: 2.0 ** -10, 0x40: 1, 0x7F: 240, 0xFF: -240},
            "t/f8_e5m2fnuz": {0x00: 0, 0x01: 2.0 ** -17, 0x40: 1, 0x7F: 57344, 0xFF: -57344},
            "t/f8_e8m0fnu": {0x00: 2.0 ** -127, 0x7F: 1, 0x80: 2, 0xFE: 2.0 ** 127}}
        nan = {"t/f8_e4m3fn": {0x7F, 0xFF}, "t/f8_e5m2": {0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF},
               "t/f8_e4m3fnuz": {0x80}, "t/f8_e5m2fnuz": {0x80}, "t/f8_e8m0fnu": {0xFF}}
        for path, codes in small.items():
            self.assertEqual({code: values[path][code] for code in codes}, codes, path)
            self.assertEqual({i for i, value in enumerate(values[path]) if math.isnan(value)}, nan[path], path)

    def test_every_truncation_is_refused(self):
        data = (GOLDEN / "graph.ckpt").read_bytes()
        for size in range(len(data)):
            self.assertIsNotNone(self.use(data[:size]), f"cut to {size} bytes")
        self.assertIsNotNone(self.use(data + b"\0"), "one byte more")
        self.assertIsNone(self.use(data))

    def test_every_flipped_byte_is_found(self):
        steps = {"small": 1, "graph": 1, "zstd": 5, "planes": 97, "dtypes": 7, "shapes": 5, "alignment": 41, "pages": 37}
        for name, step in steps.items():
            data = bytearray((GOLDEN / f"{name}.ckpt").read_bytes())
            for position in range(0, len(data), step):
                flip = 1 << position % 8
                data[position] ^= flip
                self.assertIsNotNone(self.use(data), f"{name}: byte {position}")
                data[position] ^= flip

    def test_damage_under_good_sums_never_escapes(self):
        generator = random.Random(20240607)
        refused = 0
        for name in ("small", "graph", "metadata", "zstd", "dtypes", "aliases", "pages"):
            whole = (GOLDEN / f"{name}.ckpt").read_bytes()
            offset, size = struct.unpack_from("<QQ", whole, len(whole) - 64)
            for _ in range(250):
                data = bytearray(whole)
                for _ in range(generator.choice((1, 1, 1, 2, 5))):
                    position = offset + generator.randrange(size)
                    data[position] = self.another(generator, data[position])
                seal(data)
                refused += self.use(data) is not None
        self.assertGreater(refused, 900)

    def test_bad_frames_and_strings_under_good_sums_never_escape(self):
        generator = random.Random(1)
        refused = 0
        for name, path in (("zstd", "many_chunks"), ("zstd", "one_chunk"), ("planes", "counters"), ("planes", "f16"),
                           ("dtypes", "t/string"), ("dtypes", "t/bytes")):
            whole = (GOLDEN / f"{name}.ckpt").read_bytes()
            checkpoint = reader.Checkpoint(GOLDEN / f"{name}.ckpt")
            tensor, = (tensor for tensor in checkpoint.tensors if tensor["path"] == path)
            for _ in range(150):
                data = bytearray(whole)
                position = tensor["blob_offset"] + generator.randrange(min(tensor["blob_size"], 400))
                data[position] = self.another(generator, data[position])
                for chunk in range(tensor["chunk_count"]):
                    seal_chunk(data, checkpoint, tensor, chunk)
                seal(data)
                refused += self.use(data) is not None
        self.assertGreater(refused, 150)
        self.assertLess(refused, 900)  # a changed letter is another string

    def test_sealing_changes_nothing_in_a_whole_file(self):
        for file in GOLDEN.glob("*.ckpt"):
            data = bytearray(file.read_bytes())
            checkpoint = reader.Checkpoint(file)
            for tensor in checkpoint.owners:
                for chunk in range(tensor["chunk_count"]):
                    seal_chunk(data, checkpoint, tensor, chunk)
            seal(data)
            self.assertEqual(bytes(data), file.read_bytes(), file.name)

    def test_dump_in_the_specification(self):
        arguments = [str(GOLDEN / "small.ckpt"), "--check", str(ROOT / "docs" / "format.md")]
        self.assertEqual(hexdump.main(arguments), 0)

    def test_size_of_the_reader(self):
        lines = (ROOT / "docs" / "reader.py").read_text("utf-8").splitlines()
        self.assertLessEqual(len(lines), 300)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
