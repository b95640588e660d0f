// The object graph of a file, indexed for restoring.
#pragma once

#include <ckpt/object_graph.hpp>
#include <ckpt/reader.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt::graph {

/// Immutable. Nodes are numbered as in the file; 0 is the root. A file without a graph becomes the tree of its paths.
class FileGraph {
 public:
  /// Throws corrupt when the graph refers to what is not there.
  explicit FileGraph(const Reader& reader);

  std::size_t size() const noexcept { return graph_.nodes.size(); }
  const std::vector<ObjectGraph::Edge>& edges(std::uint32_t node) const { return graph_.nodes[node].edges; }
  std::optional<std::uint32_t> child(std::uint32_t node, std::string_view name) const;
  /// The node at the end of the edges that `path` names, from `node` on; `node` itself for an empty path.
  std::optional<std::uint32_t> find(std::uint32_t node, std::string_view path) const;

  /// Path of the tensor with the node's value, or nullptr.
  const std::string* tensor(std::uint32_t node) const {
    const auto& path = graph_.nodes[node].tensor;
    return path ? &*path : nullptr;
  }

  /// Whether the node, or anything under it, has a value.
  bool has_values(std::uint32_t node) const { return has_values_[node]; }

  const ObjectGraph::Slot& slot(std::uint32_t index) const { return graph_.slots[index]; }
  /// Slots in which the node is the owner, or the variable.
  std::span<const std::uint32_t> slots_of_owner(std::uint32_t node) const { return slots_of_owner_.of(node); }
  std::span<const std::uint32_t> slots_of_variable(std::uint32_t node) const { return slots_of_variable_.of(node); }

 private:
  /// Values grouped by node: those of node n are items[first[n]] up to items[first[n + 1]].
  struct Groups {
    std::vector<std::uint32_t> first;
    std::vector<std::uint32_t> items;
    template <typename KeyOf>
    void build(std::size_t groups, std::size_t count, KeyOf key_of);
    std::span<const std::uint32_t> of(std::uint32_t node) const {
      return std::span{items}.subspan(first[node], first[node + 1] - first[node]);
    }
  };

  void build_tree(const Reader& reader);
  void check(const Reader& reader) const;
  void find_values();

  ObjectGraph graph_;
  std::vector<bool> has_values_;
  Groups slots_of_owner_;
  Groups slots_of_variable_;
};

}  // namespace ckpt::graph
