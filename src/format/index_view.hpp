// Reading an index that nobody has checked: every page is checked against its sum, and every number against its bounds,
// when it is touched.
#pragma once

#include "base/checked.hpp"
#include "format/header.hpp"
#include "format/page_checker.hpp"
#include "format/tensor_record.hpp"

#include <ckpt/metadata.hpp>
#include <ckpt/object_graph.hpp>
#include <ckpt/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ckpt::format {

namespace fb {
struct Tensor;
struct Block;
struct Metadata;
struct Node;
struct Edge;
struct Slot;
struct PathSlot;
}  // namespace fb

/// The index of an open file. Immutable and thread-safe. All members throw Error (corrupt, unless said otherwise) with
/// the offset in the file and the object path; the file's name is added by the caller.
class IndexView {
 public:
  /// `index` and `sums` must outlive this object; `index` must be aligned to 8 bytes. `read`: see PageChecker.
  IndexView(std::span<const std::byte> index, std::span<const std::byte> sums, const Header& header,
            const Footer& footer, Hash hash, ReadAt read);

  const Geometry& geometry() const noexcept { return geometry_; }
  std::size_t tensor_count() const noexcept { return tensors_.size(); }

  /// The record of tensor `i` < tensor_count(), all of whose values are in range.
  TensorRecord tensor(std::size_t i) const;

  /// The position of the first tensor whose path is not less than `wanted`, bytewise.
  std::size_t lower_bound(std::string_view wanted) const;
  std::optional<std::size_t> find(std::string_view wanted) const;

  /// The tensor at the end of the edges that `path` names, when it is no tensor's own path.
  std::optional<std::size_t> find_in_graph(std::string_view path) const;

  std::string_view path(std::size_t i) const;
  BlockType block(std::uint32_t i) const;
  std::uint64_t chunk_sum(std::uint32_t i) const;
  std::uint32_t frame_size(std::uint32_t i) const;

  std::uint64_t page_count() const noexcept { return base::divide_up(index_.size(), kPageBytes); }
  /// Checks the sum of page `i` < page_count(), and those of the pages of sums above it.
  void check_page(std::uint64_t i) const { pages_.require(i * kPageBytes, 1); }

  /// Whole parts, copied. limit when the metadata is longer than kMaxMetadataBytes.
  Metadata metadata() const;
  ObjectGraph graph() const;

 private:
  friend class StructureCheck;  // structure_check.cpp

  // The entry `i` < column.size(), its page checked.
  template <typename T>
  const T& at(std::span<const T> column, std::size_t i) const {
    return *reinterpret_cast<const T*>(pages_.get(place_of(column) + i * sizeof(T), sizeof(T)));
  }
  std::string_view bytes_at(std::span<const std::uint8_t> pool, std::uint64_t offset, std::uint64_t size,
                            const void* member) const;
  std::uint64_t offset_of(const void* member) const noexcept;
  [[noreturn]] void corrupt(std::string_view problem, const void* member, std::string_view object = {},
                            std::string expected = {}, std::string found = {}) const;
  // What it expects of a number that is out of range.
  static std::string less_than(std::uint64_t limit);
  // The same for a reserved field: it is zero.
  void require_zero(std::uint32_t reserved, const void* member, std::string_view object = {}) const;
  std::string_view path_of(const fb::Tensor& raw) const;
  Shape shape_of(const fb::Tensor& raw, std::string_view path) const;
  void check_sizes(const TensorRecord& record, const fb::Tensor& raw) const;
  void check_place(const TensorRecord& record, const fb::Tensor& raw) const;
  void check_owner(const TensorRecord& record, const fb::Tensor& raw) const;
  std::optional<std::uint32_t> child(std::uint32_t node, std::string_view name) const;
  std::string_view name_of(std::uint32_t offset, std::uint32_t size, const void* member) const;
  void require_own_text(std::uint64_t total, const void* member) const;
  void add_slots(ObjectGraph& graph, std::uint64_t total_text) const;
  // Where in the index the column begins.
  template <typename T>
  std::uint64_t place_of(std::span<const T> column) const noexcept {
    return static_cast<std::uint64_t>(reinterpret_cast<const std::byte*>(column.data()) - index_.data());
  }
  template <typename T>
  void require_all(std::span<const T> column) const {
    if (!column.empty()) pages_.require(place_of(column), column.size_bytes());
  }

  std::span<const std::byte> index_;
  std::uint64_t index_offset_;
  std::uint64_t required_features_;
  Hash hash_;
  mutable PageChecker pages_;
  Geometry geometry_;
  std::span<const fb::Tensor> tensors_;
  std::span<const std::uint8_t> paths_;
  std::span<const std::int64_t> dims_;
  std::span<const std::uint64_t> chunk_sums_;
  std::span<const std::uint32_t> frame_sizes_;
  std::span<const fb::Block> blocks_;
  std::span<const std::uint8_t> text_;
  std::span<const fb::Metadata> metadata_;
  std::span<const fb::Node> nodes_;
  std::span<const fb::Edge> edges_;
  std::span<const fb::Slot> slots_;
  std::span<const fb::PathSlot> path_table_;
};

}  // namespace ckpt::format
