// The objects behind the tensors of a checkpoint: nodes, named edges and slots.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ckpt {

/// The graph of a saved program as plain values. Node 0 is the root. Cycles and shared nodes are allowed; a shared
/// object is stored once and found under each of its paths.
struct ObjectGraph {
  struct Edge {
    std::string name;    ///< unique among the edges of one node
    std::uint32_t node;  ///< index of the child
  };
  struct Node {
    std::vector<Edge> edges;            ///< sorted by name, bytewise
    std::optional<std::string> tensor;  ///< path of the tensor that holds this node's value
  };
  /// State that `owner` (an optimizer) keeps for `variable`, under the name `name` (a moment).
  struct Slot {
    std::uint32_t owner;
    std::uint32_t variable;
    std::string name;
    std::uint32_t node;  ///< the slot variable itself
  };

  std::vector<Node> nodes;
  std::vector<Slot> slots;
};

}  // namespace ckpt
