// Counts, lengths and places of the vectors of the index.
#include "patches.hpp"

namespace ckpt::test::hostile {
namespace {

constexpr Column kColumns[] = {Column::tensors, Column::paths, Column::dims,     Column::chunk_sums,
                               Column::blocks,  Column::text,  Column::metadata, Column::frame_sizes,
                               Column::nodes,   Column::edges, Column::slots};

Case vector(std::string name, int number, Verdict verdict, Patch patch, std::vector<std::string> says) {
  return {.name = "vector " + std::move(name),
          .number = number,
          .verdict = verdict,
          .says = std::move(says),
          .patch = std::move(patch)};
}

Patch counted(Column column, std::uint32_t count) {
  return [=](FileImage& image) { image.set_count(column, count); };
}

Patch counted_in_root(Column column, std::uint32_t count) {
  return [=](FileImage& image) { image.set(image.count_in_root(column), count); };
}

Patch of_length(Column column, std::uint32_t count) {
  return [=](FileImage& image) { image.set(image.vector(column), count); };
}

Patch one_less(Column column) {
  return [=](FileImage& image) { image.set_count(column, image.count(column) - 1); };
}

// The vector lies over the place that says where it is, its elements aligned.
void point_to_itself(FileImage& image, Column column) {
  const std::size_t place = image.field(column);
  image.set<std::uint32_t>(place, (place - image.index_offset()) % 8 == 4 ? 0 : 4);
}

}  // namespace

Cases vector_cases() {
  Cases cases;
  for (const Column column : kColumns) {
    const std::string name = text(static_cast<unsigned>(column));
    constexpr const char* kOutside = "a column lies outside of the index";
    constexpr const char* kLength = "a column's length is not what the root table says";
    for (const std::uint32_t bad : {kMost32, 0x7fffffffU, 0x20000000U, 0x04000000U}) {
      const std::string number = " " + text(bad);
      cases.push_back(vector(name + " with count" + number, 22, Verdict::open, counted(column, bad), {kOutside}));
      cases.push_back(
          vector(name + " counted as" + number, 31, Verdict::open, counted_in_root(column, bad), {kOutside}));
      cases.push_back(vector(name + " of length" + number, 30, Verdict::verify, of_length(column, bad),
                             {kLength, "found " + text(bad)}));
    }
    cases.push_back(vector(name + " at 0xffffffff", 26, Verdict::open, in_root(column, kMost32), {kOutside}));
    cases.push_back(vector(name + " at 0x7ffffff0", 26, Verdict::open, in_root(column, 0x7ffffff0), {kOutside}));
    cases.push_back(vector(name + " not aligned", 26, Verdict::open, in_root(column, 3), {kOutside}));
    cases.push_back(vector(name + " within the root table", 42, Verdict::verify,
                           [=](FileImage& image) { point_to_itself(image, column); }, {}));
    // Without an entry of metadata, or a slot, it is a whole file that holds less.
    if (column == Column::metadata || column == Column::slots) continue;
    cases.push_back(vector(name + " with one less", 22, Verdict::verify, one_less(column), {}));
    cases.push_back(vector(name + " with none", 22, Verdict::verify, counted(column, 0), {}));
  }
  return cases;
}

}  // namespace ckpt::test::hostile
