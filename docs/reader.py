#!/usr/bin/env python3
"""A second reader of checkpoint files, written from docs/format.md alone: clear rather than fast.
`reader.py FILE` verifies a file and prints what is in it as JSON; damage is an error and exit status 1. As a module:
Checkpoint(path) checks the index; then .tensors, .metadata, .graph, .data(tensor), .values(tensor), .verify().
"""
import json
import math
import mmap
import struct
import sys
import xxhash  # Debian: python3-xxhash
import zstandard  # Debian: python3-zstandard

NONE, PAGE, ZSTD, GRAPH = 0xFFFFFFFF, 4096, 1, 1
# by code of dtype: name, bits, format for struct; then exponent bits, mantissa bits and kind of small floats
NAMES = ("unknown bool i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64 c64 c128 f8_e4m3fn f8_e5m2 f8_e4m3fnuz "
         "f8_e5m2fnuz f8_e8m0fnu f6_e2m3 f6_e3m2 f4_e2m1 i4 u4 string bytes block").split()
BITS = (0, 8, 8, 16, 32, 64, 8, 16, 32, 64, 16, 16, 32, 64, 64, 128, 8, 8, 8, 8, 8, 6, 6, 4, 4, 4, 0, 0, 0)
FORMATS = dict(zip(NAMES, "- ? b h i q B H I Q e - f d ff dd".split()))
FLOATS = {"bf16": (8, 7, "ieee"), "f8_e4m3fn": (4, 3, "fn"), "f8_e5m2": (5, 2, "ieee"), "f8_e4m3fnuz": (4, 3, "fnuz"),
          "f8_e5m2fnuz": (5, 2, "fnuz"), "f6_e2m3": (2, 3, ""), "f6_e3m2": (3, 2, ""), "f4_e2m1": (2, 1, "")}
# vectors of the root table in the order of their vtable entries, from 12 on; the first four are required
VECTORS = {"tensors": "QQQIIIIIIIIHBBI", "paths": "B", "dims": "q", "chunk_sums": "Q", "frame_sizes": "I",
           "blocks": "IIII", "text": "B", "metadata": "QIIII", "nodes": "IIII", "edges": "IIII", "slots": "IIIIII",
           "files": "IIQQ", "boxes": "II", "path_table": "II"}
TENSOR = ("blob_offset blob_size data_size path_offset path_size dims_offset first_chunk chunk_count first_frame "
          "alias_of block dtype rank codec reserved").split()
KINDS = ("string", "int", "float", "bytes", "json")
SHARED = set(TENSOR) - {"path_offset", "path_size", "dims_offset", "alias_of"} | {"shape"}  # by owner and alias


class CheckpointError(Exception):
    """The file is damaged, or needs what this reader lacks."""


def check(condition, problem):
    if not condition:
        raise CheckpointError(problem)


def xxh3(data, seed=0):
    return xxhash.xxh3_64_intdigest(bytes(data), seed=seed % (1 << 64))


def to_text(data, what, form="text"):
    """UTF-8 as str; a key, path or name (one component of a path) has the form of sections 7 and 8."""
    text = data.decode("utf-8", "replace")
    printable = 0 < len(data) <= 4096 and all(ord(c) >= 0x20 and not 0x7F <= ord(c) <= 0x9F for c in text)
    names = {"path": text.split("/"), "name": [text, "" if "/" in text else text]}.get(form, [])
    good = text.encode() == data and (form == "text" or printable and not {"", ".", ".."} & set(names))
    check(good, f"{what} {text[:50]!r} is not UTF-8 or not a {form}")
    return text


class Checkpoint:
    def __init__(self, path):
        with open(path, "rb") as file:
            check(file.seek(0, 2) >= 144, "the file is too short for a checkpoint")
            self.file = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        self._open_header_and_footer()
        self._check_pages()
        self._open_root()
        self.text_left = self.count["text"]
        self.blocks = [{"name": to_text(self._text(offset, size), "a block", "key"), "bytes": whole, "elements": parts}
                       for offset, size, whole, parts in self._range("blocks", 0, self.count["blocks"])]
        check(all(block["bytes"] and block["elements"] for block in self.blocks), "index: empty block")
        self.tensors = [dict(zip(TENSOR, t)) for t in self._range("tensors", 0, self.count["tensors"])]
        self.owners = [t for t in self.tensors if t["alias_of"] == NONE]
        for pool, first, least_codec in (("chunk_sums", "first_chunk", 0), ("frame_sizes", "first_frame", 1)):
            uses = [(t[first], t["chunk_count"]) for t in self.owners if t["chunk_count"] and t["codec"] >= least_codec]
            ends = sorted(start + count for start, count in uses)
            check(sorted(start for start, _ in uses) + [self.count[pool]] == [0] + ends, f"index: {pool} not used once")
        for t in self.owners + [t for t in self.tensors if t["alias_of"] != NONE]:
            self._check_tensor(t)
        self.metadata, self.graph = self._metadata(), self._graph()

    def _open_header_and_footer(self):  # sections 2 and 3
        (magic, self.major, self.minor, order, self.required, self.optional, self.uuid, reserved,
         total) = struct.unpack("<8sHHIQQ16sQQ", self.file[:64])
        check(magic == b"\x89CKP\r\n\x1a\n" and order == 0x0A0B0C0D, "no checkpoint: wrong magic or byte order mark")
        check(total == xxh3(self.file[:56]), "the header is damaged: wrong sum")
        check(self.major == 1, f"unsupported: major version {self.major}; this reader knows 1")
        check(self.required & ~ZSTD == reserved == 0, f"unsupported: features {self.required:#x} or reserved bytes")
        (self.index_offset, self.index_size, self.root_sum, file_size, same_uuid, total,
         magic) = struct.unpack("<QQQQ16sQ8s", self.file[-64:])
        check(magic == b"CKPTEND\n", "there is no footer: the file was not written to its end")
        check(total == xxh3(self.file[-64:-16]) and same_uuid == self.uuid, "the footer is damaged or of another file")
        check(file_size == len(self.file), f"the file has {len(self.file)} bytes, but {file_size} by its footer")
        good = self.index_offset >= 64 and self.index_offset % 64 == 0 == self.index_size % 8
        check(good and 8 <= self.index_size <= 0x7FFF0000, "bad place of the index")

    def _check_pages(self):  # section 5
        start, size, end = self.index_offset, self.index_size, self.index_offset + self.index_size
        self.index, level = self.file[start:end], 0
        while level == 0 or size > PAGE:
            below, level, size = self.file[start:end], level + 1, 8 * -(-size // PAGE)
            start, end = end, end + size
            check(end + 64 <= len(self.file), "the page sums lie outside of the file")
            for page, (stored,) in enumerate(struct.iter_unpack("<Q", self.file[start:end])):
                check(stored == xxh3(below[page * PAGE:(page + 1) * PAGE]), f"index: page {level}.{page} is damaged")
        check(self.root_sum == xxh3(self.file[start:end]) and end + 64 == len(self.file), "index: bad sum of page sums")

    def _number(self, code, offset):
        size = struct.calcsize(code)
        check(0 <= offset <= len(self.index) - size and offset % size == 0, f"index: bad offset {offset}")
        return struct.unpack_from("<" + code, self.index, offset)[0]

    def _open_root(self):  # section 6
        root = self._number("I", 0)
        vtable = root - self._number("i", root)
        vtable_size, table_size = self._number("H", vtable), self._number("H", vtable + 2)
        good = 4 <= vtable_size <= len(self.index) - vtable and vtable_size % 2 == 0 and self.index[4:8] == b"CKPT"
        check(good and 4 <= table_size <= len(self.index) - root, "index: bad identifier, vtable or root table")
        def field(entry, size=4):
            offset = self._number("H", vtable + entry) if entry + 2 <= vtable_size else 0
            check(offset == 0 or 4 <= offset <= table_size - size, "index: a field lies outside of the root table")
            return (root + offset, self._number("I", root + offset)) if offset else (0, 0)
        check(field(4)[1] == 1, "unsupported: unknown algorithm of chunk sums")
        self.chunk_size, self.small_alignment, self.large_alignment = sizes = [field(entry)[1] for entry in (6, 8, 10)]
        for value, least, most in zip(sizes, (1 << 16, 64, sizes[1]), (1 << 24, sizes[2], 1 << 21)):
            check(least <= value <= most and value & (value - 1) == 0, f"index: bad chunk size or alignment {value}")
        self.vectors, self.count, counts = {}, {}, field(40, 4 * len(VECTORS))[0]
        for entry, (name, code) in enumerate(VECTORS.items(), 6):
            at, offset = field(2 * entry)
            start, count = at + offset + 4, self._number("I", at + offset) if at else 0
            self.vectors[name], self.count[name] = (start, struct.Struct("<" + code)), count
            good, end = start % max(map(struct.calcsize, code)) == 0, start + count * self.vectors[name][1].size
            good = good and end <= len(self.index) if at and count else not count and (at or entry >= 10)
            check(good and counts and count == self._number("I", counts + 4 * entry - 24), f"index: bad {name}")
        check(not self.count["files"] and not self.count["boxes"], "unsupported: external files or boxes")

    def _range(self, name, first, count):
        start, code = self.vectors[name]
        check(first + count <= self.count[name], f"index: {first} + {count} lies outside of {name}")
        data = self.index[start + first * code.size:start + (first + count) * code.size]
        return bytes(data) if code.size == 1 else [v if len(v) > 1 else v[0] for v in code.iter_unpack(data)]

    def _text(self, offset, size):
        self.text_left -= size
        check(self.text_left >= 0, "index: more text is named than there is")
        return self._range("text", offset, size)

    def _check_tensor(self, t):  # section 7
        t["raw_path"] = self._range("paths", t["path_offset"], t["path_size"])
        t["path"] = what = to_text(t["raw_path"], "a path", "path")
        size, t["dtype_name"] = t["data_size"], NAMES[t["dtype"] if t["dtype"] < len(NAMES) else 0]
        t["shape"], name = self._range("dims", t["dims_offset"], t["rank"]), t["dtype_name"]
        t["elements"] = elements = math.prod(t["shape"])
        good = t["rank"] <= 8 and min(t["shape"], default=0) >= 0 and math.prod(d or 1 for d in t["shape"]) < 1 << 63
        check(good and t["reserved"] == 0, f"{what!r}: bad dimensions or reserved bytes")
        t["block_type"] = block = self.blocks[t["block"]] if t["block"] < len(self.blocks) else None
        good = block is not None if name == "block" else t["block"] == NONE
        bits, per = (block["bytes"] * 8, block["elements"]) if block else (BITS[NAMES.index(name)], 1)
        good = good and (not bits or elements * bits == size * 8 * per and elements % per == 0)
        check(good and t["dtype"] != 0, f"{what!r}: bad dtype or block, or the size does not fit dtype and shape")
        check(t["codec"] <= 1, f"unsupported: {what!r} has codec {t['codec']}")
        t["owner"] = owner = t if t["alias_of"] == NONE else (self.tensors[t["alias_of"]:t["alias_of"] + 1] or [t])[0]
        if t["alias_of"] != NONE:
            good = owner["alias_of"] == NONE and all(t[field] == owner[field] for field in SHARED)
            return check(good, f"{what!r}: is not an alias of number {t['alias_of']}")
        t["seed"] = xxh3(t["raw_path"] + struct.pack(f"<xHB{t['rank']}qQ", t["dtype"], t["rank"], *t["shape"], size))
        t["sums"] = self._range("chunk_sums", t["first_chunk"], t["chunk_count"])
        t["frames"] = self._range("frame_sizes", t["first_frame"], t["chunk_count"]) if t["codec"] else []
        t["alignment"] = self.small_alignment if t["codec"] or size < self.large_alignment else self.large_alignment
        good = t["blob_size"] == sum(t["frames"]) and self.required & ZSTD and size if t["codec"] else (
            t["blob_size"] == size and t["first_frame"] == 0)
        good = good and t["chunk_count"] == -(-size // self.chunk_size) and t["blob_offset"] % t["alignment"] == 0
        check(good and 64 <= t["blob_offset"] <= self.index_offset - t["blob_size"], f"{what!r}: bad blob")

    def data(self, tensor):
        """All bytes of a tensor, checked: section 4."""
        t, end, parts = tensor["owner"], tensor["blob_offset"], []
        for k, stored_sum in enumerate(t["sums"]):
            raw_size = min(self.chunk_size, t["data_size"] - k * self.chunk_size)
            start, end = end, end + (t["frames"][k] if t["codec"] else raw_size)
            stored, what = bytes(self.file[start:end]), f"{t['path']!r}: chunk {k}"
            check(xxh3(stored, t["seed"] + k) == stored_sum, f"{what} is damaged")
            parts.append(self._join_planes(stored, raw_size, what) if t["codec"] else stored)
        return b"".join(parts)

    def _join_planes(self, chunk, raw_size, what):
        width, rotated, zero = struct.unpack("<BBH", chunk[:4].ljust(4))
        good = width in (1, 2, 4, 8) and rotated <= 1 and zero == 0 == raw_size % width and len(chunk) >= 4 + 4 * width
        check(good, f"{what}: bad layout of planes")
        planes, size, rest, data = [], raw_size // width, chunk[4 + 4 * width:], bytearray(raw_size)
        sizes = struct.unpack(f"<{width}I", chunk[4:4 + 4 * width])
        check(0 < min(sizes) and max(sizes) <= size and sum(sizes) == len(rest), f"{what}: bad sizes of planes")
        for stored in sizes:
            plane, rest = rest[:stored], rest[stored:]
            planes.append(plane if stored == size else self._decompress(plane, size, what))
        for j, (plane, above) in enumerate(zip(planes, planes[1:] + planes[:1])):
            data[j::width] = bytes(a >> 1 | b << 7 & 128 for a, b in zip(plane, above)) if rotated else plane
        return data

    def _decompress(self, frame, raw_size, what):
        try:
            head = zstandard.get_frame_parameters(frame)
            good = frame[:4] == b"\x28\xb5\x2f\xfd" and head.content_size == raw_size and head.dict_id == 0
            check(good and head.window_size <= self.chunk_size, f"{what}: bad header of a frame")
            decoder = zstandard.ZstdDecompressor(max_window_size=self.chunk_size)
            return decoder.decompress(frame, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise CheckpointError(f"{what}: {error}") from None

    def values(self, t):
        """The elements as a flat list; the data as it is for blocks and dtypes that this reader does not know."""
        data, name, bits = self.data(t), t["dtype_name"], BITS[NAMES.index(t["dtype_name"])]
        if name in ("string", "bytes"):
            split = 8 * (t["elements"] + 1)
            check(len(data) >= split, f"{t['path']!r}: too small for its offsets")
            ends, rest = [v for v, in struct.iter_unpack("<Q", data[:split])], data[split:]
            check(ends[0] == 0 and ends == sorted(ends) and ends[-1] == len(rest), f"{t['path']!r}: bad offsets")
            return [to_text(rest[a:b], "a string") if name == "string" else rest[a:b] for a, b in zip(ends, ends[1:])]
        if FORMATS.get(name, "-") != "-":
            return [v[0] if len(v) == 1 else complex(*v) for v in struct.iter_unpack("<" + FORMATS[name], data)]
        raw = (int.from_bytes(data[first // 8:(first + bits + 7) // 8], "little") >> first % 8 & (1 << bits) - 1
               for first in range(0, t["elements"] * bits, bits or 1))
        return [decode(name, bits, value) for value in raw] if bits else data

    def _metadata(self):  # section 8
        result, last, total = {}, b"", 0
        for value, offset, key_size, size, kind in self._range("metadata", 0, self.count["metadata"]):
            key, number, total = self._text(offset, key_size), kind in (1, 2), total + size
            name = to_text(key, "a metadata key", "key")
            check(key > last and kind <= 4 and not (number and size) and total <= 64 << 20, f"bad metadata {name!r}")
            number = number and struct.unpack("<q" if kind == 1 else "<d", struct.pack("<Q", value))
            data, last = number[0] if number else self._text(value, size), key
            result[name] = KINDS[kind], to_text(data, f"metadata {name!r}") if kind in (0, 4) else data
        return result

    def _graph(self):  # section 9
        nodes, slots, end, seen, count = [], {}, 0, set(), self.count["nodes"]
        for first, edge_count, tensor, reserved in self._range("nodes", 0, count):
            good = tensor == NONE or tensor < len(self.tensors) and tensor not in seen
            check(good and first == end and reserved == 0, f"node {len(nodes)}: bad edges, tensor or reserved bytes")
            edges, end = [], first + edge_count
            for offset, size, child, reserved in self._range("edges", first, edge_count):
                last, raw = raw if edges else b"", self._text(offset, size)
                check(raw > last and child < count and reserved == 0, f"node {len(nodes)}: bad edge {raw!r}")
                edges.append([to_text(raw, "an edge", "name"), child])
            seen.add(tensor)
            nodes.append({"edges": edges, "tensor": self.tensors[tensor]["path"] if tensor != NONE else None})
        check(end == self.count["edges"], "there are edges of no node")
        for owner, variable, node, offset, size, reserved in self._range("slots", 0, self.count["slots"]):
            key = owner, variable, to_text(self._text(offset, size), "name of a slot", "name")
            check(max(owner, variable, node) < count and reserved == 0 and key not in slots, f"bad slot {key}")
            slots[key] = {"owner": owner, "variable": variable, "name": key[2], "node": node}
        return {"nodes": nodes, "slots": list(slots.values())}

    def verify(self):
        """All of section 11 that opening leaves out. Returns self."""
        paths, end = [t["raw_path"] for t in self.tensors], 64
        check(all(a < b for a, b in zip(paths, paths[1:])), "index: paths are not in order")
        check(b"".join(paths) == self._range("paths", 0, self.count["paths"]), "index: paths are not in record order")
        features = any(t["codec"] for t in self.tensors), self.count["nodes"] > 0
        check(features == (self.required & ZSTD, self.optional & GRAPH), "the features do not fit the index")
        size = 1 << (len(paths) + len(paths) // 3).bit_length() if len(paths) > 64 else 0
        table = [(0, NONE)] * size
        for number, total in enumerate(map(xxh3, paths if size else [])):
            free = next(s % size for s in range(total, total + size) if table[s % size] == (0, NONE))
            table[free] = total >> 32, number
        check(table == self._range("path_table", 0, self.count["path_table"]), "index: wrong table of paths")
        last = {"blob_offset": self.index_offset, "blob_size": 0, "alignment": 64, "owner": {"sums": []}}
        for t in sorted(self.owners, key=lambda t: (t["blob_offset"], t["blob_size"])) + [last]:
            start, end = end, t["blob_offset"]
            check(end == -(-start // t["alignment"]) * t["alignment"], f"overlap or hole before {end}")
            check(not any(self.file[start:end]), f"padding from {start} to {end} is not zero")
            end += t["blob_size"]
            self.data(t)
        return self


def decode(name, bits, raw):  # an element that struct does not know: section 7
    if name in ("f8_e8m0fnu", "i4", "u4"):
        return raw - 16 * (name == "i4" and raw > 7) if bits == 4 else 2.0 ** (raw - 127) if raw < 255 else math.nan
    e_bits, m_bits, kind = FLOATS[name]
    e, m, ones = raw >> m_bits & (1 << e_bits) - 1, raw & (1 << m_bits) - 1, (1 << e_bits) - 1
    if kind == "fnuz" and raw == 0x80 or kind == "fn" and raw & 0x7F == 0x7F or kind == "ieee" and e == ones and m:
        return math.nan
    value = math.ldexp(m + (e > 0) * (1 << m_bits), max(e, 1) - (1 << e_bits - 1) + (kind != "fnuz") - m_bits)
    return (-1 if raw >> (bits - 1) else 1) * (math.inf if kind == "ieee" and e == ones else value)


def summary(c):
    header = "major minor required optional index_offset index_size chunk_size small_alignment large_alignment".split()
    tensor = "path dtype_name shape codec data_size blob_offset blob_size chunk_count block_type".split()
    return {
        "header": {"uuid": c.uuid.hex(), "file_size": len(c.file), **{field: getattr(c, field) for field in header}},
        "tensors": [{**{field: t[field] for field in tensor}, "sum": f"{xxh3(c.data(t)):016x}",
                     "alias_of": t["owner"]["path"] if t["owner"] is not t else None} for t in c.tensors],
        "metadata": {key: [kind, value.hex() if kind == "bytes" else str(value) if kind == "float"
                           and not math.isfinite(value) else value] for key, (kind, value) in c.metadata.items()},
        "graph": c.graph}


if __name__ == "__main__":
    try:
        print(json.dumps(summary(Checkpoint(sys.argv[1]).verify()), indent=1))
    except (CheckpointError, OSError) as problem:
        sys.exit(f"{sys.argv[1]}: {problem}")
