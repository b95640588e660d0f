// Paths grouped by their '/' components, with sums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace ckptdump {

inline constexpr std::uint32_t kNoNode = 0xffffffff;

/// A tree over paths that it does not own. Node 0 is the root. A path may have thousands of components, and many paths
/// may share the bytes of one: the tree has levels for what such a file is worth, and no more.
class PathTree {
 public:
  /// What stands at a path.
  struct Entry {
    std::string_view path;
    std::uint64_t parameters = 0;
    std::uint64_t bytes = 0;
    std::optional<std::size_t> tensor;     ///< index in the file
    std::optional<std::string_view> link;  ///< the path that this one is another name of
  };

  struct Node {
    std::string_view name;
    std::uint64_t parameters = 0;  ///< of the node and all below it
    std::uint64_t bytes = 0;
    std::optional<std::size_t> tensor;
    std::optional<std::string_view> link;
    std::uint32_t first_child = kNoNode;
    std::uint32_t last_child = kNoNode;
    std::uint32_t next_sibling = kNoNode;
  };

  /// Nodes deeper than levels() components are only counted, but for one level more: it tells which of the deepest
  /// nodes are lists. Time: one sort of the entries, which is skipped when they come in order.
  PathTree(std::vector<Entry> entries, std::size_t most_levels);

  /// How many levels to show: `most_levels`, or as many as there are, or as many as have at most four nodes for each
  /// entry and a thousand beside.
  std::size_t levels() const noexcept { return levels_; }
  /// How many there are.
  std::size_t all_levels() const noexcept { return all_levels_; }

  const Node& operator[](std::uint32_t node) const noexcept { return nodes_[node]; }

  /// Children as they are shown: those of a list by number, others by bytes.
  std::vector<std::uint32_t> children(std::uint32_t node) const;

  /// The number of children when they are named 0 to n-1: then the node is a list.
  std::optional<std::size_t> list_size(std::uint32_t node) const;

 private:
  void choose_levels(const std::vector<Entry>& entries, std::size_t most);
  void add(const Entry& entry, std::size_t depth);
  std::uint32_t add_child(std::uint32_t parent, std::string_view name);

  std::size_t levels_ = 0;
  std::size_t all_levels_ = 0;
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> open_;  // from the root to the node that was added last
};

}  // namespace ckptdump
