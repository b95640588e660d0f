#include "format/index_columns.hpp"

#include "base/checked.hpp"
#include "format/path_table.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <string>

namespace ckpt::format {
namespace {

constexpr std::uint32_t kXxh3 = 1;
constexpr std::uint64_t kFieldsEnd = 2 + 18;  // in a vtable: two sizes, then the fields of Index

[[noreturn]] void corrupt(const char* problem, std::uint64_t offset) {
  throw Error{ErrorCode::corrupt,
              {.problem = std::string{"bad index: "} + problem,
               .offset = offset,
               .advice = "the file is damaged or was made by a faulty writer: use another checkpoint"}};
}

class ColumnReader {
 public:
  ColumnReader(std::span<const std::byte> index, std::uint64_t index_offset, PageChecker& pages)
      : index_{index}, index_offset_{index_offset}, pages_{pages} {}

  // `Entry` differs from the vector's own element type for structs, which FlatBuffers hands out as pointers.
  template <typename Entry, typename Vector>
  std::span<const Entry> read(const Vector* vector) {
    if (vector == nullptr) return {};
    const std::uint64_t length_at = offset_of(vector);
    pages_.require(length_at, sizeof(flatbuffers::uoffset_t));
    if (vector->size() == 0) return {};  // has no alignment: FlatBuffers pads before entries only
    const std::uint64_t data_at = offset_of(vector->Data());
    // The Verifier checks the bounds of a vector but not how its entries are aligned.
    if (data_at % alignof(Entry) != 0) corrupt("a column is not aligned", index_offset_ + data_at);
    return {reinterpret_cast<const Entry*>(vector->Data()), vector->size()};
  }

 private:
  std::uint64_t offset_of(const void* member) const noexcept {
    return static_cast<std::uint64_t>(static_cast<const std::byte*>(member) - index_.data());
  }

  std::span<const std::byte> index_;
  std::uint64_t index_offset_;
  PageChecker& pages_;
};

const fb::Index& verified_root(std::span<const std::byte> index, std::uint64_t index_offset, PageChecker& pages) {
  pages.require(0, sizeof(flatbuffers::uoffset_t) + flatbuffers::kFileIdentifierLength);
  const auto* data = reinterpret_cast<const std::uint8_t*>(index.data());
  // One table and no nesting. The Verifier is safe on any bytes, so it may run ahead of the sums of the pages that it
  // looks into.
  constexpr flatbuffers::uoffset_t kMostDepth = 2;
  constexpr flatbuffers::uoffset_t kMostTables = 2;
  flatbuffers::Verifier verifier{data, index.size(), kMostDepth, kMostTables};
  if (!fb::VerifyIndexBuffer(verifier)) {
    pages.require(0, index.size());  // says which page is damaged, if that is the reason
    corrupt("it is no FlatBuffer of the right kind", index_offset);
  }
  const fb::Index& root = *fb::GetIndex(data);
  const auto table_at = static_cast<std::uint64_t>(reinterpret_cast<const std::uint8_t*>(&root) - data);
  const auto& table = reinterpret_cast<const flatbuffers::Table&>(root);
  const auto vtable_at = static_cast<std::uint64_t>(table.GetVTable() - data);
  pages.require(table_at, sizeof(flatbuffers::soffset_t));
  pages.require(vtable_at, 2 * sizeof(flatbuffers::voffset_t));
  const auto* sizes = reinterpret_cast<const flatbuffers::voffset_t*>(table.GetVTable());
  const std::uint64_t vtable_size = flatbuffers::EndianScalar(sizes[0]);
  const std::uint64_t table_size = flatbuffers::EndianScalar(sizes[1]);
  // The Verifier has looked at the vtable and at each field, but not at the size that the vtable gives for the table.
  if (!base::in_range(table_at, table_size, index.size())) corrupt("the table is cut off", index_offset + table_at);
  for (std::uint64_t i = 2; i < std::min<std::uint64_t>(vtable_size / 2, kFieldsEnd); ++i) {
    const std::uint64_t field = flatbuffers::EndianScalar(sizes[i]);
    if (field != 0 && field + sizeof(flatbuffers::uoffset_t) > table_size) {
      corrupt("a field outside of its table", index_offset + table_at);
    }
  }
  pages.require(vtable_at, vtable_size);
  pages.require(table_at, table_size);
  return root;
}

}  // namespace

Columns read_columns(std::span<const std::byte> index, std::uint64_t index_offset, PageChecker& pages) {
  const fb::Index& root = verified_root(index, index_offset, pages);
  ColumnReader reader{index, index_offset, pages};
  if (root.checksum() != kXxh3) corrupt("unknown checksum algorithm", index_offset);
  if (!reader.read<fb::File>(root.files()).empty() || !reader.read<fb::Box>(root.boxes()).empty()) {
    throw Error{ErrorCode::unsupported,
                {.problem = "the file needs features that this version lacks: blobs in other files or sharded tensors",
                 .offset = index_offset,
                 .advice = "a newer version of ckpt can read it"}};
  }
  Columns columns;
  columns.geometry = {root.chunk_size(), root.small_alignment(), root.large_alignment()};
  if (const char* problem = why_not_a_geometry(columns.geometry)) corrupt(problem, index_offset);
  columns.tensors = reader.read<fb::Tensor>(root.tensors());
  columns.paths = reader.read<std::uint8_t>(root.paths());
  columns.dims = reader.read<std::int64_t>(root.dims());
  columns.chunk_sums = reader.read<std::uint64_t>(root.chunk_sums());
  columns.frame_sizes = reader.read<std::uint32_t>(root.frame_sizes());
  columns.blocks = reader.read<fb::Block>(root.blocks());
  columns.text = reader.read<std::uint8_t>(root.text());
  columns.metadata = reader.read<fb::Metadata>(root.metadata());
  columns.nodes = reader.read<fb::Node>(root.nodes());
  columns.edges = reader.read<fb::Edge>(root.edges());
  columns.slots = reader.read<fb::Slot>(root.slots());
  columns.path_table = reader.read<fb::PathSlot>(root.path_table());
  if (columns.path_table.size() != PathTable::size_for(columns.tensors.size())) {
    corrupt("the table of paths has the wrong size", index_offset);
  }
  return columns;
}

}  // namespace ckpt::format
