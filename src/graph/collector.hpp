// From live objects to what a save writes.
#pragma once

#include "graph/snapshot.hpp"
#include "graph/walk.hpp"

#include <cstdint>
#include <memory>
#include <unordered_set>
#include <vector>

namespace ckpt::graph {

/// Collects what the root of a checkpoint reaches: the one step of a save that touches objects. It remembers what it
/// found: while objects stay what they are (see changes.hpp), names and graph are those of the last time. One thread at
/// a time, that which uses the objects.
class Collector {
 public:
  /// Everything that the root reaches, after Trackable::before_save of every object. Objects that such a call adds are
  /// asked, too. Throws invalid_argument when an object was destroyed, and what before_save throws.
  Snapshot collect(const CheckpointState& state);

 private:
  // Those that were asked, held, so that no other node comes to lie at the address.
  using Asked = std::unordered_set<std::shared_ptr<Node>>;
  struct Object {
    Node* node;
    std::weak_ptr<Node> handle;
  };

  bool is_same() const noexcept;
  bool ask_same(Asked& asked) const;
  Walk walk_and_ask(const std::shared_ptr<Node>& root, Asked& asked);
  void remember(Walk&& objects);
  Snapshot read() const;

  std::uint64_t changes_ = 0;                       // when the rest was found; it is of no use after others
  std::shared_ptr<const Snapshot::Layout> layout_;  // null: nothing was found yet
  std::vector<Object> objects_;
  std::vector<const VariableNode*> variables_;  // in the order of the layout's paths
};

}  // namespace ckpt::graph
