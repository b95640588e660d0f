// The root table of the index, as a FlatBuffer and as what it says of the file.
#include "patches.hpp"

#include <ckpt/limits.hpp>

namespace ckpt::test::hostile {
namespace {

std::string name_of(Column column) { return "column " + text(static_cast<unsigned>(column)); }

Case root(std::string name, int number, Patch patch, std::vector<std::string> says,
          ErrorCode code = ErrorCode::corrupt) {
  return {.name = "index " + std::move(name),
          .number = number,
          .verdict = Verdict::open,
          .code = code,
          .says = std::move(says),
          .patch = std::move(patch)};
}

Patch vtable_at(std::int32_t distance) {
  return [=](FileImage& image) { image.set<std::int32_t>(image.root(), distance); };
}

Patch vtable_size(std::uint16_t bytes) {
  return [=](FileImage& image) { image.set<std::uint16_t>(image.vtable_of(image.root()), bytes); };
}

Patch table_size(std::uint16_t bytes) {
  return [=](FileImage& image) { image.set<std::uint16_t>(image.vtable_of(image.root()) + 2, bytes); };
}

// The table ends within its last field.
void cut_counts(FileImage& image) {
  table_size(static_cast<std::uint16_t>(image.count_in_root(Column::path_table) - image.root()))(image);
}

// Two fields of the table are the same bytes.
Patch aliased(Column column, Column other) {
  return [=](FileImage& image) {
    image.set<std::uint16_t>(image.vtable_entry(column), image.get<std::uint16_t>(image.vtable_entry(other)));
  };
}

// A column that version 1 reserves becomes that of another.
Patch grafted(Column reserved, Column source, bool counted) {
  return [=](FileImage& image) {
    aliased(reserved, source)(image);
    if (counted) image.set<std::uint32_t>(image.count_in_root(reserved), image.count(source));
  };
}

void add_table(Cases& cases) {
  for (const std::uint32_t bad : {0U, 2U, 4U, 0x18U, 0x7ffffff0U, 0x80000000U, kMost32}) {
    cases.push_back(root("root offset " + text(bad), 23,
                         [=](FileImage& image) { image.set<std::uint32_t>(image.index_offset(), bad); },
                         {"bad index: "}));
  }
  cases.push_back(root("root at the end", 23,
                       [](FileImage& image) {
                         image.set<std::uint32_t>(image.index_offset(), static_cast<std::uint32_t>(image.index_size()));
                       },
                       {"an offset leads out of the index"}));
  cases.push_back(root("file identifier", 25, [](FileImage& image) { image.set<char>(image.index_offset() + 4, 'X'); },
                       {"it is no FlatBuffer of the right kind", "expected \"CKPT\"", "found \"XKPT\""}));
  for (const std::int32_t bad : {0, 1, -1, -2, -(1 << 30), std::numeric_limits<std::int32_t>::min()}) {
    cases.push_back(root("vtable at " + std::to_string(bad), 26, vtable_at(bad), {"bad index: "}));
  }
  for (const std::int32_t bad : {1 << 30, std::numeric_limits<std::int32_t>::max()}) {
    cases.push_back(root("vtable at " + std::to_string(bad), 26, vtable_at(bad),
                         {"the vtable lies before the index", "expected a place within", "found -"}));
  }
  for (const int bad : {0, 1, 2, 3, 5}) {
    cases.push_back(root("vtable of bytes " + std::to_string(bad), 27, vtable_size(static_cast<std::uint16_t>(bad)),
                         {"the vtable has an impossible size", "found " + std::to_string(bad)}));
  }
  cases.push_back(root("vtable of bytes 65534", 27, vtable_size(0xfffe), {"the vtable is cut off", "found 65534"}));
  cases.push_back(root("vtable without fields", 39, vtable_size(4), {"the counts of the columns are missing"}));
  cases.push_back(root("table of no bytes", 27, table_size(0), {"a field lies outside of its table"}));
  cases.push_back(root("table of bytes 65535", 27, table_size(0xffff), {"the root table is cut off", "found 65535"}));
  cases.push_back(root("counts that leave the table", 27, cut_counts, {"a field lies outside of its table"}));
}

void add_fields(Cases& cases) {
  for (const Column column : {Column::tensors, Column::paths, Column::dims, Column::chunk_sums, Column::counts,
                              Column::chunk_size, Column::small_alignment, Column::large_alignment}) {
    cases.push_back(root(name_of(column) + " is absent", 39, field_at(column, 0), {"bad index: "}));
  }
  for (const Column column : {Column::tensors, Column::text, Column::metadata, Column::counts, Column::checksum}) {
    const std::string name = name_of(column);
    constexpr const char* kOutside = "a field lies outside of its table";
    cases.push_back(root(name + " outside of the table", 27, field_at(column, 0xfffc), {kOutside}));
    cases.push_back(root(name + " not aligned", 27, field_at(column, 5), {kOutside}));
    cases.push_back(root(name + " in the place of the vtable offset", 42, field_at(column, 2), {kOutside}));
  }
  cases.push_back(
      root("no checksum", 43, field_at(Column::checksum, 0), {"unknown checksum algorithm", "expected 1", "found 0"}));
  for (const std::uint32_t bad : {0U, 2U, 255U, kMost32}) {
    cases.push_back(root("checksum " + text(bad), 89, in_root(Column::checksum, bad),
                         {"unknown checksum algorithm", "expected 1", "found " + text(bad)}));
  }
}

void add_geometry(Cases& cases) {
  for (const std::uint32_t bad : {0U, 1U, 4096U, 100'000U, 1U << 25U, 1U << 31U, kMost32}) {
    cases.push_back(root("chunk size " + text(bad), 78, in_root(Column::chunk_size, bad),
                         {"chunk_bytes", "kMinChunkBytes", "found " + text(bad)}));
  }
  for (const std::uint32_t bad : {0U, 1U, 13U, 32U, 96U, 1U << 22U, 1U << 31U, kMost32}) {
    cases.push_back(root("small alignment " + text(bad), 78, in_root(Column::small_alignment, bad),
                         {"small_alignment", "kMinAlignment", "found " + text(bad)}));
    cases.push_back(root("large alignment " + text(bad), 78, in_root(Column::large_alignment, bad),
                         {"large_alignment", "kMaxAlignment", "found " + text(bad)}));
  }
  cases.push_back(root("small alignment above the large one", 78, in_root(Column::small_alignment, 2048),
                       {"small_alignment exceeds large_alignment", "found 2048"}));
  cases.push_back({.name = "index another small alignment",
                   .number = 77,
                   .verdict = Verdict::object,
                   .says = {"the blob is not aligned", "expected a multiple of 128"},
                   .patch = in_root(Column::small_alignment, 128),
                   .failing = 18});
  cases.push_back({.name = "index another chunk size",
                   .number = 98,
                   .verdict = Verdict::object,
                   .says = {"squeezed", "the chunks do not fit the size of the data"},
                   .patch = in_root(Column::chunk_size, 2 * kMinChunkBytes)});
}

}  // namespace

Cases index_cases() {
  Cases cases;
  add_table(cases);
  add_fields(cases);
  add_geometry(cases);
  const std::vector<std::string> lacking{"blobs in other files or sharded tensors", "a newer version of ckpt"};
  cases.push_back(
      root("files are counted", 0, grafted(Column::files, Column::slots, true), lacking, ErrorCode::unsupported));
  cases.push_back(
      root("boxes are counted", 0, grafted(Column::boxes, Column::chunk_sums, true), lacking, ErrorCode::unsupported));
  for (const auto& [reserved, source] : {std::pair{Column::files, Column::slots}, {Column::boxes, Column::dims}}) {
    cases.push_back({.name = "index " + name_of(reserved) + " is there and not counted",
                     .verdict = Verdict::verify,
                     .says = {"a column's length is not what the root table says", "expected 0", "found"},
                     .patch = grafted(reserved, source, false)});
  }
  cases.push_back({.name = "index one vector is edges and slots",
                   .number = 42,
                   .verdict = Verdict::part,
                   .says = {"bad index: "},
                   .patch = aliased(Column::slots, Column::edges)});
  cases.push_back({.name = "index entries of a later version",
                   .number = 9,
                   .verdict = Verdict::accept,
                   .patch = [](FileImage& image) {
                     // The entry behind the last that is known is within the root table's own first bytes.
                     const std::size_t vtable = image.vtable_of(image.root());
                     image.set<std::uint16_t>(vtable, static_cast<std::uint16_t>(image.get<std::uint16_t>(vtable) + 2));
                   }});
  return cases;
}

}  // namespace ckpt::test::hostile
