// Going through the live objects that a root reaches.
#pragma once

#include "graph/node.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt::graph {

/// The child of the root that counts saves.
inline constexpr const char* kSaveCounterName = "save_counter";

struct Visit {
  std::shared_ptr<Node> node;
  std::string path;
  struct Child {
    std::string name;
    std::size_t visit;  // index in Walk::visits
  };
  std::vector<Child> children;  // sorted by name
};

struct SlotVisit {
  std::size_t owner;  // indices in Walk::visits
  std::size_t variable;
  std::string name;
  std::size_t value;
};

struct Walk {
  std::vector<Visit> visits;
  std::size_t objects = 0;  ///< how many of the visits, from the first, are reached by edges; the rest are slots alone
  std::vector<SlotVisit> slots;
  /// Path of a child that was destroyed, the first one found.
  std::optional<std::string> destroyed;
};

/// Breadth first, children by name, every node once and under the path found first; then the slots of which owner and
/// variable were reached, and those that are kept for such slots. A slot that an object tracks, too, is that object's.
/// The order depends on names alone.
Walk walk(const std::shared_ptr<Node>& root);

/// The path of a child.
std::string join(std::string_view parent, std::string_view name);

/// Up to ten of the paths, escaped, and how many more there are.
std::string list_paths(std::span<const std::string> paths);

}  // namespace ckpt::graph
