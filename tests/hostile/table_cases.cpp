// The table of paths, which finds tensors by hash. It is believed when a tensor is looked for, and compared with the
// right one by full verification.
#include "patches.hpp"

namespace ckpt::test::hostile {
namespace {

constexpr std::size_t kTag = 0, kTensor = 4;

bool is_empty(const FileImage& image, std::size_t i) {
  return image.get<std::uint32_t>(image.element(Column::path_table, i, kPathSlotBytes) + kTensor) == kMost32;
}

Case table(std::string name, Patch patch, Verdict verdict = Verdict::verify, std::vector<std::string> says = {}) {
  return {.name = "table " + std::move(name),
          .number = 98,
          .verdict = verdict,
          .says = std::move(says),
          .patch = std::move(patch),
          .base = Base::wide};
}

// The first slot that holds a tensor.
Patch in_slot(std::size_t field, std::uint32_t value) {
  return [=](FileImage& image) {
    std::size_t i = 0;
    while (is_empty(image, i)) ++i;
    in_element(Column::path_table, kPathSlotBytes, i, field, value)(image);
  };
}

Patch filled(std::uint32_t tag, std::uint32_t tensor, bool empty_only) {
  return [=](FileImage& image) {
    for (std::size_t i = 0; i < image.count(Column::path_table); ++i) {
      if (empty_only && !is_empty(image, i)) continue;
      in_element(Column::path_table, kPathSlotBytes, i, kTag, tag)(image);
      in_element(Column::path_table, kPathSlotBytes, i, kTensor, tensor)(image);
    }
  };
}

}  // namespace

Cases table_cases() {
  const std::vector<std::string> wrong{"a wrong slot in the table of paths", "expected", "found"};
  return {
      table("of another size",
            [](FileImage& image) { image.set_count(Column::path_table, image.count(Column::path_table) / 2); },
            Verdict::open, {"the table of paths has the wrong size", "expected 128", "found 64"}),
      table("absent", field_at(Column::path_table, 0), Verdict::open, {"a column is missing"}),
      table("of one slot", [](FileImage& image) { image.set_count(Column::path_table, 1); }, Verdict::open,
            {"the table of paths has the wrong size"}),
      table("tensor out of range", in_slot(kTensor, 80), Verdict::verify, wrong),
      table("tensor far away", in_slot(kTensor, kMost32 - 1), Verdict::verify, wrong),
      table("another tensor", in_slot(kTensor, 7), Verdict::verify, wrong),
      table("another tag", in_slot(kTag, 1), Verdict::verify, wrong),
      table("empty slot with a tag", in_slot(kTensor, kMost32), Verdict::verify, wrong),
      table("all empty", filled(0, kMost32, false), Verdict::verify, wrong),
      table("all full", filled(5, 0, true), Verdict::verify, wrong),
      table("all alike", filled(5, 3, false), Verdict::verify, wrong),
      table("all out of range", filled(5, kMost32 - 1, false), Verdict::verify, wrong),
  };
}

}  // namespace ckpt::test::hostile
