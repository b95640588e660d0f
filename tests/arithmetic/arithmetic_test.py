#!/usr/bin/python3
"""The check finds raw arithmetic that is planted in the sources, and lets right arithmetic pass."""

import sys
import unittest
from pathlib import Path

import arithmetic

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = arithmetic.source_of_numbers(ROOT)

# Lines of a function that are wrong.
WRONG = {
    "a sum of two accessors": "const auto end = raw.path_offset() + raw.path_size();",
    "a product": "return edge.name_size() * 8;",
    "a difference": "const auto left = limit - raw.value_size();",
    "a shift": "const auto bytes = slot.tag() << 3U;",
    "a sum that is compared": "if (raw.first_edge() + count > size) return;",
    "a sum as an argument": "use(pool.subspan(raw.name_offset() + 1));",
    "an addition to a total": "total += raw.edge_count();",
    "a product of a record": "reserve(record.data_size * 2);",
    "a sum of a footer": "const auto end = footer.index_offset + footer.index_size;",
    "what load() reads": "const auto next = load<std::uint64_t>(bytes, 0) + 8;",
    "a variable": "const auto first = raw.first_chunk();\nuse(first + 1);",
    "a variable of a variable": "const std::uint64_t size = raw.blob_size();\nauto other = size;\nother *= 2;",
    "a sum within braces": "return {record.blob_offset + used, 0};",
    "raw within Checked": "const auto end = base::Checked{raw.path_offset() + raw.path_size()} + 1;",
    "a sum over two lines": "const auto end = record.blob_offset +\n    record.blob_size;",
    "a reason above another line": "// No wrap: here.\nuse(1);\nuse(raw.dtype() + 1);",
}

RIGHT = {
    "Checked": "const auto end = base::Checked{raw.path_offset()} + raw.path_size();",
    "a product of Checked": "const auto bytes = (base::Checked{raw.rank()} + 1) * 8;",
    "a variable that is Checked": "base::Checked total{0};\ntotal = total + raw.key_size() + raw.value_size();",
    "a range": "if (!base::in_range(raw.dims_offset(), raw.rank(), size)) return;",
    "numbers of the program": "const std::size_t half = count / 2;\nfirst += half + 1;",
    "a reason on the line": "use(record.blob_offset + used);  // No wrap: it lies in the file",
    "a reason above": "// No wrap: they lie\n// in the file.\nuse(record.blob_offset + used);",
    "a reason at the variable": "const auto first = raw.first_edge();  // No wrap: below the limit\nuse(first + 1);",
    "a truth": "const bool same = raw.dtype() == other.dtype();\nuse(same + 1);",
    "a text": 'corrupt("no such dtype " + std::to_string(raw.dtype()));',
    "a comment": "use(1);  // raw.path_offset() + raw.path_size()",
    "a pointer": "const fb::Tensor* next = &raw;",
}


def problems(body):
    text = "void f() {\n" + "".join("  " + line + "\n" for line in body.split("\n")) + "}\n"
    return arithmetic.problems_of(text, SOURCE)


class ArithmeticTest(unittest.TestCase):
    def test_each_planted_violation_is_found(self):
        for title, body in WRONG.items():
            with self.subTest(title):
                self.assertEqual(len(problems(body)), 1)

    def test_right_arithmetic_passes(self):
        for title, body in RIGHT.items():
            with self.subTest(title):
                self.assertEqual(problems(body), [])

    def test_a_name_means_nothing_in_the_next_function(self):
        text = "void f() {\n  const auto n = raw.rank();\n}\n\nvoid g(int n) {\n  use(n + 1);\n}\n"
        self.assertEqual(arithmetic.problems_of(text, SOURCE), [])

    def test_a_violation_in_the_sources_is_found(self):
        text = (ROOT / "src/format/index_view.cpp").read_text(encoding="utf-8")
        self.assertEqual(arithmetic.problems_of(text, SOURCE), [])
        right = "if (!base::in_range(raw.dims_offset(), rank, dims_.size())) {"
        self.assertEqual(text.count(right), 1)
        wrong = text.replace(right, "if (raw.dims_offset() + rank > dims_.size()) {")
        self.assertEqual(len(arithmetic.problems_of(wrong, SOURCE)), 1)


if __name__ == "__main__":
    unittest.main()
