#!/usr/bin/env python3
"""Prints a checkpoint file byte by byte, with the meaning of each field as docs/format.md gives it.

  hexdump.py FILE                      prints
  hexdump.py FILE --check  FORMAT.md   compares with the dump in the document: exit status 1 when they differ
  hexdump.py FILE --update FORMAT.md   replaces the dump in the document
"""
import struct
import sys

BEGIN, END = "<!-- hexdump begin -->\n", "<!-- hexdump end -->\n"
SCALARS = ["checksum", "chunk_size", "small_alignment", "large_alignment"]
VECTORS = {  # size of an element, and its fields
    "tensors": (64, "Q:blob_offset Q:blob_size Q:data_size I:path_offset I:path_size I:dims_offset I:first_chunk "
                    "I:chunk_count I:first_frame I:alias_of I:block H:dtype B:rank B:codec I:reserved"),
    "paths": (1, None), "dims": (8, "q:dimension"), "chunk_sums": (8, "Q:sum"), "frame_sizes": (4, "I:size"),
    "blocks": (16, "I:name_offset I:name_size I:bytes I:elements"), "text": (1, None),
    "metadata": (24, "Q:value I:key_offset I:key_size I:value_size I:type"),
    "nodes": (16, "I:first_edge I:edge_count I:tensor I:reserved"),
    "edges": (16, "I:name_offset I:name_size I:node I:reserved"),
    "slots": (24, "I:owner I:variable I:node I:name_offset I:name_size I:reserved"),
    "files": (24, "I:name_offset I:name_size Q:uuid_low Q:uuid_high"), "boxes": (8, "I:tensor I:dims_offset"),
    "path_table": (8, "I:tag I:tensor")}
HEADER = ("8s:magic H:major H:minor I:byte_order_mark Q:required_features Q:optional_features 16s:uuid Q:reserved "
          "Q:header_sum")
FOOTER = "Q:index_offset Q:index_size Q:root_sum Q:file_size 16s:uuid Q:footer_sum 8s:magic"
HEXADECIMAL = {"byte_order_mark", "header_sum", "root_sum", "footer_sum", "sum"}


class Dump:
    def __init__(self, data):
        self.data = data
        self.notes = []  # offset, size, text

    def note(self, offset, size, text):
        if size:
            self.notes.append((offset, size, text))

    def number(self, code, offset):
        return struct.unpack_from("<" + code, self.data, offset)[0]

    def fields(self, offset, fields, prefix=""):
        """Notes fields given as "code:name ..."; returns their values by name."""
        values = {}
        for field in fields.split():
            code, name = field.split(":")
            value = values[name] = self.number(code, offset)
            shown = "" if isinstance(value, bytes) else f" = {value:#x}" if name in HEXADECIMAL else f" = {value}"
            if name in ("alias_of", "block", "tensor") and value == 0xFFFFFFFF:
                shown = " = none"
            self.note(offset, struct.calcsize("<" + code), prefix + name + shown)
            offset += struct.calcsize("<" + code)
        return values

    def index(self, start):
        root = start + self.number("I", start)
        self.note(start, 4, f"index: root = {root - start}")
        self.note(start + 4, 4, 'file identifier "CKPT"')
        vtable = root - self.number("i", root)
        size = self.number("H", vtable)
        self.note(vtable, 2, f"vtable at {vtable - start}: its size = {size}")
        self.note(vtable + 2, 2, f"size of the root table = {self.number('H', vtable + 2)}")
        self.note(root, 4, f"root table at {root - start}: vtable is {root - vtable} bytes before")
        for position, name in enumerate([*SCALARS, *VECTORS, "counts"]):
            entry = 4 + 2 * position
            relative = self.number("H", vtable + entry) if entry + 2 <= size else 0
            if entry + 2 <= size:
                self.note(vtable + entry, 2, f"{name} at root + {relative}" if relative else f"{name} is absent")
            if relative and name in SCALARS:
                self.note(root + relative, 4, f"{name} = {self.number('I', root + relative)}")
            elif relative and name == "counts":
                self.fields(root + relative, " ".join(f"I:{vector}" for vector in VECTORS), "counts.")
            elif relative:
                at = root + relative
                self.note(at, 4, f"{name}: {self.number('I', at)} bytes from here")
                self.vector(name, at + self.number("I", at))

    def vector(self, name, at):
        size, fields = VECTORS[name]
        count = self.number("I", at)
        self.note(at, 4, f"{name}: count = {count}")
        if fields is None:
            text = self.data[at + 4:at + 4 + count].decode("utf-8", "replace")
            self.note(at + 4, count, f'"{text}"')
            return
        for i in range(count):
            values = self.fields(at + 4 + i * size, fields, f"{name}[{i}].")
            if name == "tensors" and values["alias_of"] == 0xFFFFFFFF:
                self.note(values["blob_offset"], values["blob_size"], f"blob of tensors[{i}]")

    def run(self):
        self.fields(0, HEADER)
        end = len(self.data)
        footer = self.fields(end - 64, FOOTER)
        self.index(footer["index_offset"])
        sums = footer["index_offset"] + footer["index_size"]
        for offset in range(sums, end - 64, 8):
            self.note(offset, 8, f"page sum = {self.number('Q', offset):#x}")
        lines, at = [], 0
        for offset, size, text in sorted(self.notes) + [(end, 0, "")]:
            if offset < at:
                raise SystemExit(f"hexdump: fields overlap at {offset}")
            if offset > at:
                lines += self.lines(at, offset - at, "padding")
            lines += self.lines(offset, size, text)
            at = offset + size
        return "".join(line.rstrip() + "\n" for line in lines)

    def lines(self, offset, size, text):
        data = self.data[offset:offset + size]
        if size > 16 and not any(data):
            return [f"{offset:05x}  {'00 ... 00':<47}  {text}: {size} zeros"]
        return [f"{offset + i:05x}  {data[i:i + 16].hex(' '):<47}  {text if i == 0 else ''}"
                for i in range(0, size, 16)]


def main(arguments):
    with open(arguments[0], "rb") as file:
        dump = "```text\n" + Dump(file.read()).run() + "```\n"
    if len(arguments) == 1:
        print(dump, end="")
        return 0
    with open(arguments[2], encoding="utf-8") as file:
        document = file.read()
    before, rest = document.split(BEGIN)
    shown, after = rest.split(END)
    if arguments[1] == "--update":
        with open(arguments[2], "w", encoding="utf-8") as file:
            file.write(before + BEGIN + dump + END + after)
        return 0
    if shown != dump:
        print(f"{arguments[2]} has another dump than that of {arguments[0]}: use --update", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
