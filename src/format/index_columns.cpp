#include "format/index_columns.hpp"

#include "base/checked.hpp"
#include "base/text.hpp"
#include "format/little_endian.hpp"
#include "format/path_table.hpp"

#include <ckpt/error.hpp>

#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace ckpt::format {
namespace {

using fb::Index;
using flatbuffers::soffset_t;
using flatbuffers::uoffset_t;
using flatbuffers::voffset_t;

constexpr std::uint32_t kXxh3 = 1;
constexpr voffset_t kFieldsEnd = Index::VT_COUNTS + sizeof(voffset_t);

[[noreturn]] void corrupt(const std::string& problem, std::uint64_t offset, std::string expected = {},
                          std::string found = {}) {
  throw Error{ErrorCode::corrupt,
              {.problem = "bad index: " + problem,
               .offset = offset,
               .expected = std::move(expected),
               .found = std::move(found),
               .advice = "the file is damaged or was made by a faulty writer: use another checkpoint"}};
}

// The root table. It is read here and not through flatbuffers::Verifier, which also looks at the length of each vector:
// these lie in as many pages as there are vectors, and a page costs microseconds when it is first touched.
class Root {
 public:
  Root(std::span<const std::byte> index, std::uint64_t index_offset, PageChecker& pages)
      : index_{index}, index_offset_{index_offset}, pages_{pages} {
    const auto root = number<uoffset_t>(0);
    const auto start = bytes(0, sizeof(root) + flatbuffers::kFileIdentifierLength, "it is too short for a FlatBuffer");
    if (!fb::IndexBufferHasIdentifier(start.data())) {
      const std::string_view found{reinterpret_cast<const char*>(&start[sizeof(root)]),
                                   flatbuffers::kFileIdentifierLength};
      corrupt("it is no FlatBuffer of the right kind", index_offset_ + sizeof(root),
              '"' + std::string{fb::IndexIdentifier()} + '"', '"' + base::escape(found) + '"');
    }
    table_ = root;
    // No wrap: both have 32 bits.
    const std::int64_t vtable = std::int64_t{root} - number<soffset_t>(table_);
    if (vtable < 0) {
      corrupt("the vtable lies before the index", index_offset_ + table_, within(), std::to_string(vtable));
    }
    vtable_ = static_cast<std::uint64_t>(vtable);  // No wrap: 33 bits, also with what is added
    const std::uint64_t vtable_size = number<voffset_t>(vtable_);
    const std::uint64_t table_size = number<voffset_t>(vtable_ + sizeof(voffset_t));
    if (vtable_size < 2 * sizeof(voffset_t) || vtable_size % sizeof(voffset_t) != 0) {
      corrupt("the vtable has an impossible size", index_offset_ + vtable_, "an even size, at least 4",
              std::to_string(vtable_size));
    }
    vtable_bytes_ = bytes(vtable_, vtable_size, "the vtable is cut off");
    table_bytes_ = bytes(table_, table_size, "the root table is cut off");
    for (voffset_t entry = Index::VT_CHECKSUM; entry < kFieldsEnd; entry += sizeof(voffset_t)) {
      const bool is_counts = entry == Index::VT_COUNTS;
      const std::size_t at = field(entry, is_counts ? sizeof(fb::Counts) : sizeof(uoffset_t));
      if (!is_counts) continue;
      if (at == 0) corrupt("the counts of the columns are missing", index_offset_ + table_);
      std::memcpy(&counts_, &table_bytes_[at], sizeof(counts_));
    }
  }

  const fb::Counts& counts() const noexcept { return counts_; }

  std::uint32_t scalar(voffset_t entry) const {
    const std::size_t at = field(entry, sizeof(std::uint32_t));
    return at == 0 ? 0 : load<std::uint32_t>(table_bytes_, at);
  }

  // Where the vector's length is, with its elements behind it; 0 when it is absent. The length is not touched.
  std::uint64_t vector(voffset_t entry) const {
    const std::size_t at = field(entry, sizeof(uoffset_t));
    if (at == 0) return 0;
    // No wrap: each has at most 32 bits.
    const std::uint64_t vector = table_ + at + load<uoffset_t>(table_bytes_, at);
    if (vector % sizeof(uoffset_t) != 0 || !base::in_range(vector, sizeof(uoffset_t), index_.size())) {
      corrupt("a column lies outside of the index", index_offset_ + table_ + at, within(),
              range_text(vector, sizeof(uoffset_t)));
    }
    return vector;
  }

  template <typename Entry>
  std::span<const Entry> column(voffset_t entry, std::uint32_t count) const {
    const std::uint64_t length_at = vector(entry);
    if (length_at == 0 && (count != 0 || entry <= Index::VT_CHUNK_SUMS)) {
      corrupt("a column is missing", index_offset_ + table_);
    }
    if (count == 0) return {};  // has no alignment: FlatBuffers pads before entries only
    const std::uint64_t at = length_at + sizeof(uoffset_t);
    if (at % alignof(Entry) != 0) {
      corrupt("a column is not aligned", index_offset_ + at, "a multiple of " + std::to_string(alignof(Entry)),
              std::to_string(at));
    }
    if (!(base::Checked{at} + base::Checked{count} * sizeof(Entry)).fits(index_.size())) {
      corrupt("a column lies outside of the index", index_offset_ + length_at, within(),
              std::to_string(count) + " elements of " + std::to_string(sizeof(Entry)) + " bytes from " +
                  std::to_string(at) + " on");
    }
    return {reinterpret_cast<const Entry*>(&index_[static_cast<std::size_t>(at)]), count};
  }

  // Compares the vector's own length.
  void check_length(voffset_t entry, std::uint32_t count) const {
    const std::uint64_t at = vector(entry);
    if (at != 0 && number<uoffset_t>(at) != count) {
      corrupt("a column's length is not what the root table says", index_offset_ + at, std::to_string(count),
              std::to_string(number<uoffset_t>(at)));
    }
  }

 private:
  std::string within() const { return "a place within " + std::to_string(index_.size()) + " bytes"; }
  static std::string range_text(std::uint64_t at, std::uint64_t size) {
    return std::to_string(size) + " from " + std::to_string(at) + " on";
  }

  std::span<const std::byte> bytes(std::uint64_t at, std::uint64_t size, const char* problem) const {
    if (!base::in_range(at, size, index_.size())) corrupt(problem, index_offset_, within(), range_text(at, size));
    if (size == 0) return {};
    return {pages_.get(at, size), static_cast<std::size_t>(size)};
  }

  template <typename T>
  T number(std::uint64_t at) const {
    if (at % sizeof(T) != 0) {
      corrupt("a number is not aligned", index_offset_, "a multiple of " + std::to_string(sizeof(T)),
              std::to_string(at));
    }
    return load<T>(bytes(at, sizeof(T), "an offset leads out of the index"), 0);
  }

  // Where in the table the field's value is, or 0 when it is absent.
  std::size_t field(voffset_t entry, std::size_t size) const {
    const bool known = entry + sizeof(voffset_t) <= vtable_bytes_.size();
    const std::size_t at = known ? load<voffset_t>(vtable_bytes_, entry) : 0;
    if (at == 0) return 0;
    if (at < sizeof(soffset_t) || at + size > table_bytes_.size() || (table_ + at) % sizeof(uoffset_t) != 0) {
      corrupt("a field lies outside of its table", index_offset_ + table_,
              "4 to " + std::to_string(table_bytes_.size()) + ", aligned", range_text(at, size));
    }
    return at;
  }

  std::span<const std::byte> index_;
  std::uint64_t index_offset_;
  PageChecker& pages_;
  std::uint64_t table_ = 0;
  std::uint64_t vtable_ = 0;
  std::span<const std::byte> vtable_bytes_;
  std::span<const std::byte> table_bytes_;
  fb::Counts counts_;
};

}  // namespace

Columns read_columns(std::span<const std::byte> index, std::uint64_t index_offset, PageChecker& pages) {
  const Root root{index, index_offset, pages};
  const fb::Counts& counts = root.counts();
  if (const std::uint32_t found = root.scalar(Index::VT_CHECKSUM); found != kXxh3) {
    corrupt("unknown checksum algorithm", index_offset, std::to_string(kXxh3), std::to_string(found));
  }
  if (counts.files() != 0 || counts.boxes() != 0) {
    throw Error{ErrorCode::unsupported,
                {.problem = "the file needs features that this version lacks: blobs in other files or sharded tensors",
                 .offset = index_offset,
                 .advice = "a newer version of ckpt can read it"}};
  }
  Columns columns;
  columns.geometry = {root.scalar(Index::VT_CHUNK_SIZE), root.scalar(Index::VT_SMALL_ALIGNMENT),
                      root.scalar(Index::VT_LARGE_ALIGNMENT)};
  if (const auto wrong = why_not_a_geometry(columns.geometry)) {
    corrupt(wrong->problem, index_offset, wrong->expected, wrong->found);
  }
  columns.tensors = root.column<fb::Tensor>(Index::VT_TENSORS, counts.tensors());
  columns.paths = root.column<std::uint8_t>(Index::VT_PATHS, counts.paths());
  columns.dims = root.column<std::int64_t>(Index::VT_DIMS, counts.dims());
  columns.chunk_sums = root.column<std::uint64_t>(Index::VT_CHUNK_SUMS, counts.chunk_sums());
  columns.frame_sizes = root.column<std::uint32_t>(Index::VT_FRAME_SIZES, counts.frame_sizes());
  columns.blocks = root.column<fb::Block>(Index::VT_BLOCKS, counts.blocks());
  columns.text = root.column<std::uint8_t>(Index::VT_TEXT, counts.text());
  columns.metadata = root.column<fb::Metadata>(Index::VT_METADATA, counts.metadata());
  columns.nodes = root.column<fb::Node>(Index::VT_NODES, counts.nodes());
  columns.edges = root.column<fb::Edge>(Index::VT_EDGES, counts.edges());
  columns.slots = root.column<fb::Slot>(Index::VT_SLOTS, counts.slots());
  columns.path_table = root.column<fb::PathSlot>(Index::VT_PATH_TABLE, counts.path_table());
  if (columns.path_table.size() != PathTable::size_for(columns.tensors.size())) {
    corrupt("the table of paths has the wrong size", index_offset,
            std::to_string(PathTable::size_for(columns.tensors.size())), std::to_string(columns.path_table.size()));
  }
  return columns;
}

void check_lengths(std::span<const std::byte> index, std::uint64_t index_offset, PageChecker& pages) {
  const Root root{index, index_offset, pages};
  const auto counts = std::as_bytes(std::span{&root.counts(), 1});
  static_assert(sizeof(fb::Counts) ==
                (Index::VT_COUNTS - Index::VT_TENSORS) / sizeof(voffset_t) * sizeof(std::uint32_t));
  for (std::size_t i = 0; i < counts.size() / sizeof(std::uint32_t); ++i) {
    const auto entry = static_cast<voffset_t>(Index::VT_TENSORS + i * sizeof(voffset_t));
    root.check_length(entry, load<std::uint32_t>(counts, i * sizeof(std::uint32_t)));
  }
}

}  // namespace ckpt::format
