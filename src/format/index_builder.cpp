#include "format/index_builder.hpp"

#include "format/path_table.hpp"

#include <ckpt/error.hpp>
#include <ckpt/limits.hpp>

#include <ckpt_generated.h>

#include <algorithm>
#include <bit>
#include <cstring>
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

// The columns that are as long as the graph and the metadata.
struct ObjectColumns {
  std::vector<fb::Block> blocks;
  std::vector<fb::Metadata> metadata;
  std::vector<fb::Node> nodes;
  std::vector<fb::Edge> edges;
  std::vector<fb::Slot> slots;

  void add_blocks(const std::vector<BlockType>& types, Text& text) {
    for (const BlockType& type : types) {
      const auto [offset, size] = text.add(type.name);
      blocks.emplace_back(offset, size, type.bytes, type.elements);
    }
  }

  void add_metadata(const Metadata& values, Text& text) {
    for (const auto& [key, value] : values) {
      const auto [key_offset, key_size] = text.add(key);
      const MetadataParts parts = parts_of(value);
      const auto [offset, size] = text.add(parts.text);
      const bool is_number = parts.type == 1 || parts.type == 2;
      metadata.emplace_back(is_number ? parts.number : offset, key_offset, key_size, size, parts.type);
    }
  }

  void add_node(const ObjectGraph::Node& node, std::uint32_t tensor, Text& text) {
    nodes.emplace_back(static_cast<std::uint32_t>(edges.size()), static_cast<std::uint32_t>(node.edges.size()), tensor,
                       0);
    for (const ObjectGraph::Edge& edge : node.edges) {
      const auto [offset, size] = text.add(edge.name);
      edges.emplace_back(offset, size, edge.node, 0);
    }
  }

  void add_slots(const std::vector<ObjectGraph::Slot>& values, Text& text) {
    for (const ObjectGraph::Slot& slot : values) {
      const auto [offset, size] = text.add(slot.name);
      slots.emplace_back(slot.owner, slot.variable, slot.node, offset, size, 0);
    }
  }

  std::uint64_t size() const noexcept {
    return blocks.size() * sizeof(fb::Block) + metadata.size() * sizeof(fb::Metadata) +
           nodes.size() * sizeof(fb::Node) + edges.size() * sizeof(fb::Edge) + slots.size() * sizeof(fb::Slot);
  }
};

// A number that is ordered as the text is; texts that share their first eight bytes, or differ in zeros, are equal.
std::uint64_t first_bytes(std::string_view text) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, text.data(), std::min(text.size(), sizeof(word)));
  return __builtin_bswap64(word);
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

template <typename Column>
std::uint32_t count_of(const Column& column) noexcept {
  return static_cast<std::uint32_t>(column.size());
}

flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> bytes_of(FlatBufferBuilder& builder, std::string_view bytes) {
  return builder.CreateVector(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

IndexBuilder::IndexBuilder(const Geometry& geometry, Hash hash) : geometry_{geometry}, hash_{hash} { make_room(); }

std::string_view IndexBuilder::path(std::uint32_t i) const noexcept {
  return std::string_view{paths_}.substr(entries_[i].path_offset, entries_[i].path_size);
}

std::uint64_t IndexBuilder::hash_of(std::string_view path) const noexcept {
  return hash_(std::as_bytes(std::span{path}), 0);
}

// Where in by_path_ the path is, or would be.
std::size_t IndexBuilder::slot_of(std::string_view path, std::uint64_t hash) const noexcept {
  const std::size_t mask = by_path_.size() - 1;
  std::size_t slot = static_cast<std::size_t>(hash) & mask;
  for (; by_path_[slot] != kNone; slot = (slot + 1) & mask) {
    const std::uint32_t i = by_path_[slot];
    if (hashes_[i] == hash && this->path(i) == path) break;
  }
  return slot;
}

// At most half of by_path_ is in use.
void IndexBuilder::make_room() {
  constexpr std::size_t kLeast = 64;
  if (2 * (entries_.size() + 1) <= by_path_.size()) return;
  by_path_.assign(std::max(kLeast, 2 * by_path_.size()), kNone);
  for (std::uint32_t i = 0; i < entries_.size(); ++i) by_path_[slot_of(path(i), hashes_[i])] = i;
}

std::optional<std::uint32_t> IndexBuilder::find(std::string_view path) const {
  const std::uint32_t found = by_path_[slot_of(path, hash_of(path))];
  return found == kNone ? std::nullopt : std::optional{found};
}

std::uint64_t IndexBuilder::columns_size() const noexcept {
  return kFixedBytes + entries_.size() * sizeof(fb::Tensor) + paths_.size() + dims_.size() * sizeof(std::int64_t) +
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

std::uint32_t IndexBuilder::add_path(std::string_view path, Entry entry) {
  const auto number = static_cast<std::uint32_t>(entries_.size());
  entry.path_offset = paths_.size();
  entry.path_size = static_cast<std::uint32_t>(path.size());
  make_room();
  const std::uint64_t hash = hash_of(path);
  by_path_[slot_of(path, hash)] = number;
  paths_ += path;
  entries_.push_back(entry);
  hashes_.push_back(hash);
  check_size(columns_size());
  return number;
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
  const auto [known, is_new] = shapes_.try_emplace({shape.begin(), shape.end()}, next);
  if (is_new) dims_.insert(dims_.end(), shape.begin(), shape.end());
  return known->second;
}

void IndexBuilder::add(const TensorRecord& record, const BlockType* block, std::span<const std::uint64_t> chunk_sums,
                       std::span<const std::uint32_t> frame_sizes) {
  const bool compressed = record.codec == Codec::zstd;
  const Entry entry{.path_offset = 0,
                    .blob_offset = record.blob_offset,
                    .blob_size = record.blob_size,
                    .data_size = record.data_size,
                    .path_size = 0,
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
  add_path(record.path, entry);
}

void IndexBuilder::add_alias(std::string_view path, std::uint32_t owner) {
  Entry entry = entries_[owner];
  if (entry.alias_of == kNone) entry.alias_of = owner;
  add_path(path, entry);
}

// Entries in the order of their paths: order[place] is the entry, place[entry] its position.
struct IndexBuilder::Sorted {
  std::vector<std::uint32_t> order;
  std::vector<std::uint32_t> place;
};

// How many bytes at their front are the same in all paths.
std::size_t IndexBuilder::common_prefix() const noexcept {
  if (entries_.empty()) return 0;
  std::string_view shared = path(0);
  for (std::uint32_t i = 1; i < entries_.size(); ++i) {
    const std::string_view other = path(i);
    shared = shared.substr(0, static_cast<std::size_t>(std::ranges::mismatch(shared, other).in1 - shared.begin()));
  }
  return shared.size();
}

IndexBuilder::Sorted IndexBuilder::sort() const {
  // Most comparisons end at the first bytes behind what all paths begin with, without a look at the paths.
  struct Key {
    std::uint64_t bytes;
    std::uint32_t entry;
  };
  const std::size_t shared = common_prefix();
  std::vector<Key> keys;
  keys.reserve(entries_.size());
  for (std::uint32_t i = 0; i < entries_.size(); ++i) keys.push_back({first_bytes(path(i).substr(shared)), i});
  std::ranges::sort(keys, [this](const Key& a, const Key& b) {
    return a.bytes != b.bytes ? a.bytes < b.bytes : path(a.entry) < path(b.entry);
  });
  Sorted sorted{std::vector<std::uint32_t>(entries_.size()), std::vector<std::uint32_t>(entries_.size())};
  std::ranges::transform(keys, sorted.order.begin(), &Key::entry);
  for (std::uint32_t i = 0; i < sorted.order.size(); ++i) sorted.place[sorted.order[i]] = i;
  return sorted;
}

std::uint32_t IndexBuilder::place_of(const std::optional<std::string>& tensor, const Sorted& sorted) const {
  if (!tensor) return kNone;
  const auto entry = find(*tensor);
  if (!entry) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "the object graph names a tensor that was not added", .object = *tensor}};
  }
  return sorted.place[*entry];
}

// The pool of paths, in order, and where each begins in it.
std::pair<std::string, std::vector<std::uint32_t>> IndexBuilder::sorted_paths(const Sorted& sorted) const {
  std::pair<std::string, std::vector<std::uint32_t>> result;
  auto& [pool, offsets] = result;
  pool.reserve(paths_.size());
  offsets.reserve(entries_.size());
  for (const std::uint32_t i : sorted.order) {
    offsets.push_back(static_cast<std::uint32_t>(pool.size()));
    pool += path(i);
  }
  return result;
}

std::vector<fb::PathSlot> IndexBuilder::path_table(const Sorted& sorted) const {
  PathTable table{entries_.size(), hash_};
  for (const std::uint32_t i : sorted.order) table.add(path(i));
  std::vector<fb::PathSlot> slots;
  slots.reserve(table.slots().size());
  for (const PathTable::Slot& slot : table.slots()) slots.emplace_back(slot.tag, slot.tensor);
  return slots;
}

IndexBuilder::Index IndexBuilder::build(const Metadata& metadata, const ObjectGraph& graph) const {
  const Sorted sorted = sort();
  const auto [paths, path_offsets] = sorted_paths(sorted);
  Text text;
  ObjectColumns objects;
  objects.add_blocks(blocks_, text);
  objects.add_metadata(metadata, text);
  for (const ObjectGraph::Node& node : graph.nodes) objects.add_node(node, place_of(node.tensor, sorted), text);
  objects.add_slots(graph.slots, text);

  const std::uint64_t size = columns_size() + objects.size() + text.bytes().size();
  check_size(size);
  FlatBufferBuilder builder{static_cast<std::size_t>(size)};
  const auto slots_at = structs_of(builder, objects.slots);
  const auto edges_at = structs_of(builder, objects.edges);
  const auto nodes_at = structs_of(builder, objects.nodes);
  const auto metadata_at = structs_of(builder, objects.metadata);
  const auto text_at = bytes_of(builder, text.bytes());
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
                                          e.path_size,
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
                          count_of(text.bytes()),
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
