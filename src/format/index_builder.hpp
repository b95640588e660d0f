// Collecting what goes into the index, and making its bytes.
#pragma once

#include "format/hash.hpp"
#include "format/path_set.hpp"
#include "format/tensor_record.hpp"

#include <ckpt/metadata.hpp>
#include <ckpt/object_graph.hpp>
#include <ckpt/shape.hpp>
#include <ckpt/tensor.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ckpt::format {

namespace fb {
struct PathSlot;
}  // namespace fb

/// Tensors come in any order; their places in the index are known when it is built. One owner. Throws limit when the
/// index would grow beyond kMaxIndexBytes.
class IndexBuilder {
 public:
  IndexBuilder(const Geometry& geometry, Hash hash) : geometry_{geometry}, paths_{hash} {}

  /// The number of the tensor with that path, in order of adding.
  std::optional<std::uint32_t> find(std::string_view path) const { return paths_.find(path); }

  /// `record` with its path, dtype, shape, codec and sizes; chunk_count sums, and frame sizes when it is compressed.
  /// The caller has made sure that the path is new and valid.
  void add(const TensorRecord& record, const BlockType* block, std::span<const std::uint64_t> chunk_sums,
           std::span<const std::uint32_t> frame_sizes);

  /// A second path for the tensor `owner`; an alias of an alias becomes one of its owner.
  void add_alias(std::string_view path, std::uint32_t owner);

  /// The FlatBuffer, its size a multiple of 8, in memory of its own. `graph` must be sound but for its tensors:
  /// invalid_argument when one was not added.
  struct Index {
    std::shared_ptr<const void> memory;
    std::span<const std::byte> bytes;
  };
  Index build(const Metadata& metadata, const ObjectGraph& graph) const;

  bool has_compressed() const noexcept { return !frame_sizes_.empty(); }

 private:
  struct Entry {
    std::uint64_t blob_offset;
    std::uint64_t blob_size;
    std::uint64_t data_size;
    std::uint32_t dims_offset;
    std::uint32_t first_chunk;
    std::uint32_t chunk_count;
    std::uint32_t first_frame;
    std::uint32_t alias_of;
    std::uint32_t block;
    DType dtype;
    std::uint8_t rank;
    Codec codec;
  };
  // By dimensions.
  struct ShapeOrder {
    bool operator()(const Shape& a, const Shape& b) const noexcept {
      return std::ranges::lexicographical_compare(a.dims(), b.dims());
    }
  };
  void add_entry(std::string_view path, const Entry& entry);
  std::uint32_t add_block(const BlockType& block);
  std::uint32_t add_dims(const Shape& shape);
  std::uint64_t columns_size() const noexcept;
  static void check_size(std::uint64_t size);
  std::uint32_t place_of(const std::optional<std::string>& tensor, const PathSet::Order& sorted) const;
  std::vector<fb::PathSlot> path_table(const PathSet::Order& sorted) const;
  std::pair<std::string, std::vector<std::uint32_t>> sorted_paths(const PathSet::Order& sorted) const;

  Geometry geometry_;
  PathSet paths_;  // the numbers are those of entries_
  std::vector<Entry> entries_;
  std::vector<std::int64_t> dims_;
  std::map<Shape, std::uint32_t, ShapeOrder> shapes_;  // where in dims_ a shape is
  std::vector<std::uint64_t> chunk_sums_;
  std::vector<std::uint32_t> frame_sizes_;
  std::vector<BlockType> blocks_;
};

}  // namespace ckpt::format
