#include "format/index_builder.hpp"

#include <ckpt/error.hpp>
#include <ckpt/limits.hpp>

#include <ckpt_generated.h>

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

namespace ckpt::format {
namespace {

using flatbuffers::FlatBufferBuilder;

// Bytes of the root table, of length fields and padding, rounded up.
constexpr std::uint64_t kFixedBytes = 1024;

// The pool of text that is no object path.
class Text {
 public:
  std::pair<std::uint32_t, std::uint32_t> add(std::string_view text) {
    const auto offset = static_cast<std::uint32_t>(bytes_.size());
    bytes_ += text;
    return {offset, static_cast<std::uint32_t>(text.size())};
  }
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  std::string bytes_;
};

struct MetadataParts {
  std::uint32_t type;
  std::uint64_t number;
  std::string_view text;
};

MetadataParts parts_of(const MetadataValue& value) {
  const auto view = [](const Bytes& bytes) {
    return std::string_view{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  };
  if (const auto* text = std::get_if<std::string>(&value)) return {0, 0, *text};
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return {1, std::bit_cast<std::uint64_t>(*integer), {}};
  if (const auto* real = std::get_if<double>(&value)) return {2, std::bit_cast<std::uint64_t>(*real), {}};
  if (const auto* bytes = std::get_if<Bytes>(&value)) return {3, 0, view(*bytes)};
  return {4, 0, std::get<Json>(value).text};
}

std::vector<fb::Metadata> metadata_column(const Metadata& metadata, Text& text) {
  std::vector<fb::Metadata> column;
  column.reserve(metadata.size());
  for (const auto& [key, value] : metadata) {
    const auto [key_offset, key_size] = text.add(key);
    const MetadataParts parts = parts_of(value);
    const auto [offset, size] = text.add(parts.text);
    const bool is_number = parts.type == 1 || parts.type == 2;
    column.emplace_back(is_number ? parts.number : offset, key_offset, key_size, size, parts.type);
  }
  return column;
}

template <typename T>
flatbuffers::Offset<flatbuffers::Vector<T>> vector_of(FlatBufferBuilder& builder, const std::vector<T>& column) {
  return builder.CreateVector(column.data(), column.size());
}

template <typename T>
flatbuffers::Offset<flatbuffers::Vector<const T*>> structs_of(FlatBufferBuilder& builder,
                                                              const std::vector<T>& column) {
  return builder.CreateVectorOfStructs(column.data(), column.size());
}

flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> bytes_of(FlatBufferBuilder& builder, std::string_view bytes) {
  return builder.CreateVector(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

IndexBuilder::IndexBuilder(const Geometry& geometry, Hash hash)
    : geometry_{geometry}, hash_{hash}, by_path_{16, PathHash{this}, PathEqual{this}} {}

std::size_t IndexBuilder::PathHash::operator()(std::string_view path) const noexcept {
  return static_cast<std::size_t>(builder->hash_(std::as_bytes(std::span{path}), 0));
}

std::string_view IndexBuilder::path(std::uint32_t i) const noexcept {
  return std::string_view{paths_}.substr(entries_[i].path_offset, entries_[i].path_size);
}

std::optional<std::uint32_t> IndexBuilder::find(std::string_view path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? std::nullopt : std::optional{*found};
}

void IndexBuilder::check_size() const {
  const std::uint64_t size = kFixedBytes + entries_.size() * sizeof(fb::Tensor) + paths_.size() +
                             dims_.size() * sizeof(std::int64_t) + chunk_sums_.size() * sizeof(std::uint64_t) +
                             frame_sizes_.size() * sizeof(std::uint32_t);
  if (size > kMaxIndexBytes) {
    throw Error{ErrorCode::limit,
                {.problem = "the index has become too large",
                 .expected = "at most " + std::to_string(kMaxIndexBytes) + " bytes (kMaxIndexBytes)",
                 .found = std::to_string(size),
                 .advice = "use larger chunks (WriterOptions::chunk_bytes), or several files"}};
  }
}

std::uint32_t IndexBuilder::add_path(std::string_view path, Entry entry) {
  const auto number = static_cast<std::uint32_t>(entries_.size());
  entry.path_offset = paths_.size();
  entry.path_size = static_cast<std::uint32_t>(path.size());
  paths_ += path;
  entries_.push_back(entry);
  check_size();
  by_path_.insert(number);
  return number;
}

std::uint32_t IndexBuilder::add_block(const BlockType& block) {
  const auto known = std::ranges::find(blocks_, block);
  const auto position = static_cast<std::uint32_t>(known - blocks_.begin());
  if (known == blocks_.end()) blocks_.push_back(block);
  return position;
}

void IndexBuilder::add(const TensorRecord& record, const BlockType* block, std::span<const std::uint64_t> chunk_sums,
                       std::span<const std::uint32_t> frame_sizes) {
  const bool compressed = record.codec == Codec::zstd;
  const Entry entry{.path_offset = 0,
                    .blob_offset = record.blob_offset,
                    .blob_size = record.blob_size,
                    .data_size = record.data_size,
                    .path_size = 0,
                    .dims_offset = static_cast<std::uint32_t>(dims_.size()),
                    .first_chunk = static_cast<std::uint32_t>(chunk_sums_.size()),
                    .chunk_count = static_cast<std::uint32_t>(chunk_sums.size()),
                    .first_frame = compressed ? static_cast<std::uint32_t>(frame_sizes_.size()) : 0,
                    .alias_of = kNone,
                    .block = block != nullptr ? add_block(*block) : kNone,
                    .dtype = record.dtype,
                    .rank = static_cast<std::uint8_t>(record.shape.rank()),
                    .codec = record.codec};
  dims_.insert(dims_.end(), record.shape.begin(), record.shape.end());
  chunk_sums_.insert(chunk_sums_.end(), chunk_sums.begin(), chunk_sums.end());
  frame_sizes_.insert(frame_sizes_.end(), frame_sizes.begin(), frame_sizes.end());
  add_path(record.path, entry);
}

void IndexBuilder::add_alias(std::string_view path, std::uint32_t owner) {
  Entry entry = entries_[owner];
  if (entry.alias_of == kNone) entry.alias_of = owner;
  add_path(path, entry);
}

std::vector<std::byte> IndexBuilder::build(const Metadata& metadata, const ObjectGraph& graph) const {
  const auto count = static_cast<std::uint32_t>(entries_.size());
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, {}, [this](std::uint32_t i) { return path(i); });
  std::vector<std::uint32_t> place(count);
  for (std::uint32_t i = 0; i < count; ++i) place[order[i]] = i;

  Text text;
  std::vector<fb::Block> blocks;
  for (const BlockType& block : blocks_) {
    const auto [offset, size] = text.add(block.name);
    blocks.emplace_back(offset, size, block.bytes, block.elements);
  }
  const std::vector<fb::Metadata> meta = metadata_column(metadata, text);
  std::vector<fb::Node> nodes;
  std::vector<fb::Edge> edges;
  for (const ObjectGraph::Node& node : graph.nodes) {
    const auto tensor = node.tensor ? find(*node.tensor) : std::nullopt;
    if (node.tensor && !tensor) {
      throw Error{ErrorCode::invalid_argument,
                  {.problem = "the object graph names a tensor that was not added", .object = *node.tensor}};
    }
    nodes.emplace_back(static_cast<std::uint32_t>(edges.size()), static_cast<std::uint32_t>(node.edges.size()),
                       tensor ? place[*tensor] : kNone, 0);
    for (const ObjectGraph::Edge& edge : node.edges) {
      const auto [offset, size] = text.add(edge.name);
      edges.emplace_back(offset, size, edge.node, 0);
    }
  }
  std::vector<fb::Slot> slots;
  for (const ObjectGraph::Slot& slot : graph.slots) {
    const auto [offset, size] = text.add(slot.name);
    slots.emplace_back(slot.owner, slot.variable, slot.node, offset, size, 0);
  }

  const std::size_t expected = kFixedBytes + count * sizeof(fb::Tensor) + paths_.size() + dims_.size() * 8 +
                               chunk_sums_.size() * 8 + frame_sizes_.size() * 4 + text.bytes().size() +
                               meta.size() * sizeof(fb::Metadata) + nodes.size() * sizeof(fb::Node) +
                               edges.size() * sizeof(fb::Edge) + slots.size() * sizeof(fb::Slot) +
                               blocks.size() * sizeof(fb::Block);
  if (expected > kMaxIndexBytes) {
    throw Error{ErrorCode::limit,
                {.problem = "the index is too large",
                 .expected = "at most " + std::to_string(kMaxIndexBytes) + " bytes (kMaxIndexBytes)",
                 .found = std::to_string(expected)}};
  }
  FlatBufferBuilder builder{expected};
  const auto slots_at = structs_of(builder, slots);
  const auto edges_at = structs_of(builder, edges);
  const auto nodes_at = structs_of(builder, nodes);
  const auto meta_at = structs_of(builder, meta);
  const auto text_at = bytes_of(builder, text.bytes());
  const auto blocks_at = structs_of(builder, blocks);
  const auto frames_at = vector_of(builder, frame_sizes_);
  const auto sums_at = vector_of(builder, chunk_sums_);
  const auto dims_at = vector_of(builder, dims_);
  std::uint8_t* pool = nullptr;
  const auto paths_at = builder.CreateUninitializedVector(paths_.size(), 1, &pool);
  fb::Tensor* tensors = nullptr;
  std::uint32_t path_offset = 0;
  std::vector<std::uint32_t> path_offsets(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string_view bytes = path(order[i]);
    path_offsets[i] = path_offset;
    std::ranges::copy(bytes, pool + path_offset);
    path_offset += static_cast<std::uint32_t>(bytes.size());
  }
  const auto tensors_at = builder.CreateUninitializedVectorOfStructs(count, &tensors);
  for (std::uint32_t i = 0; i < count; ++i) {
    const Entry& entry = entries_[order[i]];
    tensors[i] = fb::Tensor{entry.blob_offset,
                            entry.blob_size,
                            entry.data_size,
                            path_offsets[i],
                            entry.path_size,
                            entry.dims_offset,
                            entry.first_chunk,
                            entry.chunk_count,
                            entry.first_frame,
                            entry.alias_of == kNone ? kNone : place[entry.alias_of],
                            entry.block,
                            static_cast<std::uint16_t>(entry.dtype),
                            entry.rank,
                            static_cast<std::uint8_t>(entry.codec),
                            0};
  }
  constexpr std::uint32_t kXxh3 = 1;
  fb::FinishIndexBuffer(builder, fb::CreateIndex(builder, kXxh3, geometry_.chunk_size, geometry_.small_alignment,
                                                 geometry_.large_alignment, tensors_at, paths_at, dims_at, sums_at,
                                                 frames_at, blocks_at, text_at, meta_at, nodes_at, edges_at, slots_at));
  const auto bytes = std::as_bytes(builder.GetBufferSpan());
  return {bytes.begin(), bytes.end()};
}

}  // namespace ckpt::format
