#include "format/index_builder.hpp"

#include "format/object_columns.hpp"
#include "format/path_table.hpp"

#include <ckpt/error.hpp>
#include <ckpt/limits.hpp>

#include <ckpt_generated.h>

#include <algorithm>
#include <utility>

namespace ckpt::format {
namespace {

using flatbuffers::FlatBufferBuilder;

// Bytes of the root table, of length fields and padding, rounded up.
constexpr std::uint64_t kFixedBytes = 1024;

template <typename T>
flatbuffers::Offset<flatbuffers::Vector<T>> vector_of(FlatBufferBuilder& builder, const std::vector<T>& column) {
  return builder.CreateVector(column.data(), column.size());
}

template <typename T>
flatbuffers::Offset<flatbuffers::Vector<const T*>> structs_of(FlatBufferBuilder& builder,
                                                              const std::vector<T>& column) {
  return builder.CreateVectorOfStructs(column.data(), column.size());
}

template <typename Column>
std::uint32_t count_of(const Column& column) noexcept {
  return static_cast<std::uint32_t>(column.size());
}

flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> bytes_of(FlatBufferBuilder& builder, std::string_view bytes) {
  return builder.CreateVector(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

std::uint64_t IndexBuilder::columns_size() const noexcept {
  return kFixedBytes + entries_.size() * sizeof(fb::Tensor) + paths_.bytes() + dims_.size() * sizeof(std::int64_t) +
         chunk_sums_.size() * sizeof(std::uint64_t) + frame_sizes_.size() * sizeof(std::uint32_t) +
         PathTable::size_for(entries_.size()) * sizeof(fb::PathSlot);
}

void IndexBuilder::check_size(std::uint64_t size) {
  if (size <= kMaxIndexBytes) return;
  throw Error{ErrorCode::limit,
              {.problem = "the index has become too large",
               .expected = "at most " + std::to_string(kMaxIndexBytes) + " bytes (kMaxIndexBytes)",
               .found = std::to_string(size),
               .advice = "use larger chunks (WriterOptions::chunk_bytes), or several files"}};
}

void IndexBuilder::add_entry(std::string_view path, const Entry& entry) {
  paths_.add(path);
  entries_.push_back(entry);
  check_size(columns_size());
}

std::uint32_t IndexBuilder::add_block(const BlockType& block) {
  const auto known = std::ranges::find(blocks_, block);
  const auto position = static_cast<std::uint32_t>(known - blocks_.begin());
  if (known == blocks_.end()) blocks_.push_back(block);
  return position;
}

// A model has few different shapes: stored once each, they are likely to be in memory already when a tensor is bound.
std::uint32_t IndexBuilder::add_dims(const Shape& shape) {
  const auto next = static_cast<std::uint32_t>(dims_.size());
  const auto [known, is_new] = shapes_.try_emplace(shape, next);
  if (is_new) dims_.insert(dims_.end(), shape.begin(), shape.end());
  return known->second;
}

void IndexBuilder::add(const TensorRecord& record, const BlockType* block, std::span<const std::uint64_t> chunk_sums,
                       std::span<const std::uint32_t> frame_sizes) {
  const bool compressed = record.codec == Codec::zstd;
  const Entry entry{.blob_offset = record.blob_offset,
                    .blob_size = record.blob_size,
                    .data_size = record.data_size,
                    .dims_offset = add_dims(record.shape),
                    .first_chunk = static_cast<std::uint32_t>(chunk_sums_.size()),
                    .chunk_count = static_cast<std::uint32_t>(chunk_sums.size()),
                    .first_frame = compressed ? static_cast<std::uint32_t>(frame_sizes_.size()) : 0,
                    .alias_of = kNone,
                    .block = block != nullptr ? add_block(*block) : kNone,
                    .dtype = record.dtype,
                    .rank = static_cast<std::uint8_t>(record.shape.rank()),
                    .codec = record.codec};
  chunk_sums_.insert(chunk_sums_.end(), chunk_sums.begin(), chunk_sums.end());
  frame_sizes_.insert(frame_sizes_.end(), frame_sizes.begin(), frame_sizes.end());
  add_entry(record.path, entry);
}

void IndexBuilder::add_alias(std::string_view path, std::uint32_t owner) {
  Entry entry = entries_[owner];
  if (entry.alias_of == kNone) entry.alias_of = owner;
  add_entry(path, entry);
}

std::uint32_t IndexBuilder::place_of(const std::optional<std::string>& tensor, const PathSet::Order& sorted) const {
  if (!tensor) return kNone;
  const auto entry = paths_.find(*tensor);
  if (!entry) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "the object graph names a tensor that was not added", .object = *tensor}};
  }
  return sorted.place[*entry];
}

// The pool of paths, in order, and where each begins in it.
std::pair<std::string, std::vector<std::uint32_t>> IndexBuilder::sorted_paths(const PathSet::Order& sorted) const {
  std::pair<std::string, std::vector<std::uint32_t>> result;
  auto& [pool, offsets] = result;
  pool.reserve(paths_.bytes());
  offsets.reserve(entries_.size());
  for (const std::uint32_t i : sorted.order) {
    offsets.push_back(static_cast<std::uint32_t>(pool.size()));
    pool += paths_[i];
  }
  return result;
}

std::vector<fb::PathSlot> IndexBuilder::path_table(const PathSet::Order& sorted) const {
  PathTable table{entries_.size()};
  for (const std::uint32_t i : sorted.order) table.add(paths_.hash(i));
  std::vector<fb::PathSlot> slots;
  slots.reserve(table.slots().size());
  for (const PathTable::Slot& slot : table.slots()) slots.emplace_back(slot.tag, slot.tensor);
  return slots;
}

IndexBuilder::Index IndexBuilder::build(const Metadata& metadata, const ObjectGraph& graph) const {
  const PathSet::Order sorted = paths_.sorted();
  const auto [paths, path_offsets] = sorted_paths(sorted);
  ObjectColumns objects;
  objects.add_blocks(blocks_);
  objects.add_metadata(metadata);
  for (const ObjectGraph::Node& node : graph.nodes) objects.add_node(node, place_of(node.tensor, sorted));
  objects.add_slots(graph.slots);

  const std::uint64_t size = columns_size() + objects.size();
  check_size(size);
  FlatBufferBuilder builder{static_cast<std::size_t>(size)};
  const auto slots_at = structs_of(builder, objects.slots);
  const auto edges_at = structs_of(builder, objects.edges);
  const auto nodes_at = structs_of(builder, objects.nodes);
  const auto metadata_at = structs_of(builder, objects.metadata);
  const auto text_at = bytes_of(builder, objects.text);
  const auto blocks_at = structs_of(builder, objects.blocks);
  const auto frames_at = vector_of(builder, frame_sizes_);
  const auto sums_at = vector_of(builder, chunk_sums_);
  const auto paths_at = bytes_of(builder, paths);
  const std::vector<fb::PathSlot> table = path_table(sorted);
  const auto table_at = structs_of(builder, table);
  fb::Tensor* tensors = nullptr;
  const auto tensors_at = builder.CreateUninitializedVectorOfStructs(entries_.size(), &tensors);
  for (const std::uint32_t i : sorted.order) {
    const Entry& e = entries_[i];
    const std::uint32_t alias_of = e.alias_of == kNone ? kNone : sorted.place[e.alias_of];
    tensors[sorted.place[i]] = fb::Tensor{e.blob_offset,
                                          e.blob_size,
                                          e.data_size,
                                          path_offsets[sorted.place[i]],
                                          static_cast<std::uint32_t>(paths_[i].size()),
                                          e.dims_offset,
                                          e.first_chunk,
                                          e.chunk_count,
                                          e.first_frame,
                                          alias_of,
                                          e.block,
                                          static_cast<std::uint16_t>(e.dtype),
                                          e.rank,
                                          static_cast<std::uint8_t>(e.codec),
                                          0};
  }
  // Last, and hence beside the root table: a model has few shapes, so that binding a tensor touches no further page.
  const auto dims_at = vector_of(builder, dims_);
  const fb::Counts counts{count_of(entries_),
                          count_of(paths),
                          count_of(dims_),
                          count_of(chunk_sums_),
                          count_of(frame_sizes_),
                          count_of(objects.blocks),
                          count_of(objects.text),
                          count_of(objects.metadata),
                          count_of(objects.nodes),
                          count_of(objects.edges),
                          count_of(objects.slots),
                          0,
                          0,
                          count_of(table)};
  constexpr std::uint32_t kXxh3 = 1;
  fb::FinishIndexBuffer(
      builder, fb::CreateIndex(builder, kXxh3, geometry_.chunk_size, geometry_.small_alignment,
                               geometry_.large_alignment, tensors_at, paths_at, dims_at, sums_at, frames_at, blocks_at,
                               text_at, metadata_at, nodes_at, edges_at, slots_at, 0, 0, table_at, &counts));
  const auto memory = std::make_shared<const flatbuffers::DetachedBuffer>(builder.Release());
  return {memory, std::as_bytes(std::span{memory->data(), memory->size()})};
}

}  // namespace ckpt::format
