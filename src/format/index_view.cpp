#include "format/index_view.hpp"

#include "base/checked.hpp"
#include "base/path.hpp"
#include "base/text.hpp"
#include "format/index_columns.hpp"
#include "format/path_table.hpp"

#include <ckpt/error.hpp>
#include <ckpt/limits.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace ckpt::format {
namespace {

// For a range that does not lie where it should.
std::string range_text(std::uint64_t first, std::uint64_t count) {
  return std::to_string(count) + " from " + std::to_string(first) + " on";
}

std::string within(std::uint64_t size) { return "a range within " + std::to_string(size); }

std::string dims_text(std::span<const std::int64_t> dims) {
  std::string text = "[";
  for (const std::int64_t dim : dims) text += (text.size() > 1 ? ", " : "") + std::to_string(dim);
  return text + "]";
}

}  // namespace

IndexView::IndexView(std::span<const std::byte> index, std::span<const std::byte> sums, const Header& header,
                     const Footer& footer, Hash hash, ReadAt read)
    : index_{index},
      index_offset_{footer.index_offset},
      required_features_{header.required_features},
      hash_{hash},
      pages_{index, sums, footer.sums_root, footer.index_offset, hash, std::move(read)} {
  const Columns columns = read_columns(index, index_offset_, pages_);
  geometry_ = columns.geometry;
  tensors_ = columns.tensors;
  paths_ = columns.paths;
  dims_ = columns.dims;
  chunk_sums_ = columns.chunk_sums;
  frame_sizes_ = columns.frame_sizes;
  blocks_ = columns.blocks;
  text_ = columns.text;
  metadata_ = columns.metadata;
  nodes_ = columns.nodes;
  edges_ = columns.edges;
  slots_ = columns.slots;
  path_table_ = columns.path_table;
}

std::uint64_t IndexView::offset_of(const void* member) const noexcept {
  return index_offset_ + pages_.offset_of(static_cast<const std::byte*>(member));
}

void IndexView::corrupt(std::string_view problem, const void* member, std::string_view object, std::string expected,
                        std::string found) const {
  throw Error{ErrorCode::corrupt,
              {.problem = "bad index: " + std::string{problem},
               .offset = offset_of(member),
               .object = std::string{object},
               .expected = std::move(expected),
               .found = std::move(found),
               .advice = "the file is damaged or was made by a faulty writer: use another checkpoint"}};
}

std::string IndexView::less_than(std::uint64_t limit) { return "less than " + std::to_string(limit); }

void IndexView::require_zero(std::uint32_t reserved, const void* member, std::string_view object) const {
  if (reserved != 0) corrupt("reserved bytes are not zero", member, object, "0", std::to_string(reserved));
}

std::string_view IndexView::bytes_at(std::span<const std::uint8_t> pool, std::uint64_t offset, std::uint64_t size,
                                     const void* member) const {
  if (!base::in_range(offset, size, pool.size())) {
    corrupt("a name or text lies outside of its pool", member, {}, within(pool.size()), range_text(offset, size));
  }
  if (size == 0) return {};
  const std::byte* first = pages_.get(place_of(pool) + offset, size);
  return {reinterpret_cast<const char*>(first), static_cast<std::size_t>(size)};
}

std::string_view IndexView::path(std::size_t i) const { return path_of(at(tensors_, i)); }

std::string_view IndexView::path_of(const fb::Tensor& raw) const {
  if (raw.path_size() > kMaxPathBytes) {
    corrupt("a path is too long", &raw, {}, "at most 4096 bytes (kMaxPathBytes)", std::to_string(raw.path_size()));
  }
  return bytes_at(paths_, raw.path_offset(), raw.path_size(), &raw);
}

Shape IndexView::shape_of(const fb::Tensor& raw, std::string_view path) const {
  const std::size_t rank = raw.rank();  // No wrap: 8 bits
  if (rank > kMaxRank) {
    corrupt("too many dimensions", &raw, path, "at most 8 (kMaxRank)", std::to_string(rank));
  }
  if (!base::in_range(raw.dims_offset(), rank, dims_.size())) {
    corrupt("dimensions outside of their pool", &raw, path, within(dims_.size()), range_text(raw.dims_offset(), rank));
  }
  if (rank == 0) return {};
  // No wrap: the dimensions lie within their pool.
  const std::uint64_t place = place_of(dims_) + raw.dims_offset() * sizeof(std::int64_t);
  const std::byte* first = pages_.get(place, rank * sizeof(std::int64_t));
  const std::span dims{reinterpret_cast<const std::int64_t*>(first), rank};
  try {
    return Shape{dims};
  } catch (const Error& error) {
    corrupt(error.details().problem, &raw, path, "a shape", dims_text(dims));
  }
}

TensorRecord IndexView::tensor(std::size_t i) const {
  const fb::Tensor& raw = at(tensors_, i);
  const std::string_view path = path_of(raw);
  if (const char* reason = base::why_not_a_path(path)) {
    corrupt(std::string{"this is no object path: "} + reason, &raw, path);
  }
  const TensorRecord record{.path = path,
                            .dtype = static_cast<DType>(raw.dtype()),
                            .shape = shape_of(raw, path),
                            .codec = static_cast<Codec>(raw.codec()),
                            .blob_offset = raw.blob_offset(),
                            .blob_size = raw.blob_size(),
                            .data_size = raw.data_size(),
                            .first_chunk = raw.first_chunk(),
                            .chunk_count = raw.chunk_count(),
                            .first_frame = raw.first_frame(),
                            .alias_of = raw.alias_of(),
                            .block = raw.block()};
  check_sizes(record, raw);
  check_place(record, raw);
  if (record.alias_of != kNone) check_owner(record, raw);
  return record;
}

// dtype, shape and block against the size of the data.
void IndexView::check_sizes(const TensorRecord& record, const fb::Tensor& raw) const {
  require_zero(raw.reserved(), &raw, record.path);
  if (raw.dtype() == 0) corrupt("there is no such dtype", &raw, record.path, "at least 1", "0");
  if (record.block != kNone && record.block >= blocks_.size()) {
    corrupt("no such block type", &raw, record.path, less_than(blocks_.size()), std::to_string(record.block));
  }
  const bool has_block = record.block != kNone;
  const BlockType block_type = has_block ? block(record.block) : BlockType{};
  const DataSize size = data_size(record.dtype, record.shape, has_block ? &block_type : nullptr);
  if (size.problem != nullptr) corrupt(size.problem, &raw, record.path);
  if (size.bytes && *size.bytes != record.data_size) {
    throw Error{ErrorCode::corrupt,
                {.problem = "bad index: the size does not fit dtype and shape",
                 .offset = offset_of(&raw),
                 .object = std::string{record.path},
                 .expected = std::to_string(*size.bytes) + " bytes for " + std::string{to_string(record.dtype)} + " " +
                             to_string(record.shape),
                 .found = std::to_string(record.data_size),
                 .advice = "the file was made by a faulty writer: use another checkpoint"}};
  }
}

// Blob, chunks and frames against the file.
void IndexView::check_place(const TensorRecord& record, const fb::Tensor& raw) const {
  if (record.codec != Codec::stored && record.codec != Codec::zstd) {
    corrupt("unknown codec", &raw, record.path, "0 or 1", std::to_string(raw.codec()));
  }
  if (record.codec == Codec::stored && record.blob_size != record.data_size) {
    corrupt("a stored blob has another size than its data", &raw, record.path,
            std::to_string(record.data_size) + " bytes", std::to_string(record.blob_size));
  }
  if (record.codec == Codec::zstd && ((required_features_ & kFeatureZstd) == 0 || record.data_size == 0)) {
    corrupt("a compressed tensor without data, or in a file that does not announce it", &raw, record.path);
  }
  if (record.codec == Codec::zstd && base::divide_up(record.data_size, kMostExpansion) > record.blob_size) {
    corrupt("the blob is too small for its data", &raw, record.path,
            "at least " + std::to_string(base::divide_up(record.data_size, kMostExpansion)) + " bytes",
            std::to_string(record.blob_size));
  }
  if (record.blob_offset < kHeaderBytes || !base::in_range(record.blob_offset, record.blob_size, index_offset_)) {
    corrupt("the blob lies outside of the part of the file that holds blobs", &raw, record.path,
            std::to_string(kHeaderBytes) + " to " + std::to_string(index_offset_),
            range_text(record.blob_offset, record.blob_size));
  }
  if (record.blob_offset % alignment_of(geometry_, record.codec, record.blob_size) != 0) {
    const std::uint32_t alignment = alignment_of(geometry_, record.codec, record.blob_size);
    corrupt("the blob is not aligned", &raw, record.path, "a multiple of " + std::to_string(alignment),
            std::to_string(record.blob_offset));
  }
  if (record.chunk_count != base::divide_up(record.data_size, geometry_.chunk_size) ||
      !base::in_range(record.first_chunk, record.chunk_count, chunk_sums_.size())) {
    corrupt(
        "the chunks do not fit the size of the data", &raw, record.path,
        std::to_string(base::divide_up(record.data_size, geometry_.chunk_size)) + " in " + within(chunk_sums_.size()),
        range_text(record.first_chunk, record.chunk_count));
  }
  const bool frames_fit = record.codec == Codec::zstd
                              ? base::in_range(record.first_frame, record.chunk_count, frame_sizes_.size())
                              : record.first_frame == 0;
  if (!frames_fit) {
    corrupt("the frames do not fit the chunks", &raw, record.path,
            record.codec == Codec::zstd ? within(frame_sizes_.size()) : "0",
            range_text(record.first_frame, record.chunk_count));
  }
}

// An alias repeats its owner's record, but for the path.
void IndexView::check_owner(const TensorRecord& record, const fb::Tensor& raw) const {
  if (record.alias_of >= tensors_.size()) {
    corrupt("an alias of no tensor", &raw, record.path, less_than(tensors_.size()), std::to_string(record.alias_of));
  }
  const fb::Tensor& owner = at(tensors_, record.alias_of);
  if (base::why_not_a_path(path(record.alias_of)) != nullptr) corrupt("an alias of no object path", &raw, record.path);
  const bool same = owner.alias_of() == kNone && owner.dtype() == raw.dtype() && owner.codec() == raw.codec() &&
                    owner.block() == raw.block() && owner.blob_offset() == raw.blob_offset() &&
                    owner.blob_size() == raw.blob_size() && owner.data_size() == raw.data_size() &&
                    owner.first_chunk() == raw.first_chunk() && owner.chunk_count() == raw.chunk_count() &&
                    owner.first_frame() == raw.first_frame() && shape_of(owner, record.path) == record.shape;
  if (!same) {
    corrupt("an alias differs from the tensor that it names", &raw, record.path,
            "the record of " + base::escape(path(record.alias_of)), "another");
  }
}

std::size_t IndexView::lower_bound(std::string_view wanted) const {
  std::size_t first = 0;
  std::size_t count = tensors_.size();
  while (count > 0) {
    const std::size_t half = count / 2;
    if (path(first + half) < wanted) {
      first += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return first;
}

// Through the table, which touches the same few pages whatever the number of tensors. A crowded one, honest or hostile,
// is given up after a while for the binary search.
std::optional<std::size_t> IndexView::find(std::string_view wanted) const {
  constexpr std::size_t kPatience = 64;
  if (!path_table_.empty()) {
    const PathTable::Start start = PathTable::start_of(hash_of(wanted, hash_), path_table_.size());
    for (std::size_t probe = 0; probe < kPatience; ++probe) {
      const fb::PathSlot& slot = at(path_table_, (start.slot + probe) % path_table_.size());
      if (slot.tensor() == kNone) return std::nullopt;
      if (slot.tag() != start.tag) continue;
      if (slot.tensor() >= tensors_.size()) {
        corrupt("the table of paths names no tensor", &slot, wanted, less_than(tensors_.size()),
                std::to_string(slot.tensor()));
      }
      if (path(slot.tensor()) == wanted) return slot.tensor();
    }
  }
  const std::size_t i = lower_bound(wanted);
  return i < tensors_.size() && path(i) == wanted ? std::optional{i} : std::nullopt;
}

BlockType IndexView::block(std::uint32_t i) const {
  const fb::Block& raw = at(blocks_, i);
  const std::string_view name = bytes_at(text_, raw.name_offset(), raw.name_size(), &raw);
  if (const char* reason = base::why_not_a_key(name)) {
    corrupt(std::string{"a block type without a proper name: "} + reason, &raw, name);
  }
  return {.name = std::string{name}, .bytes = raw.bytes(), .elements = raw.elements()};
}

std::uint64_t IndexView::chunk_sum(std::uint32_t i) const { return at(chunk_sums_, i); }

std::uint32_t IndexView::frame_size(std::uint32_t i) const { return at(frame_sizes_, i); }

}  // namespace ckpt::format
