// From live objects to what a save writes.
#pragma once

#include "graph/inventory.hpp"

#include <vector>

namespace ckpt::graph {

/// Collects what the root of a checkpoint reaches: the one step of a save that touches objects. It remembers what it
/// found, and as long as the root reaches the same, names and graph are those of the last time. One thread at a time,
/// that which uses the objects.
class Collector {
 public:
  /// Everything that the root reaches, after Trackable::before_save of every object, once. Objects that such a call
  /// adds are asked, too. Throws invalid_argument when an object was destroyed, limit when there is no end of them, and
  /// what before_save throws. The list of tensors is made of `list`, which is empty.
  Snapshot collect(const CheckpointState& state, std::vector<Snapshot::Tensor> list = {});

 private:
  Inventory inventory_;
};

}  // namespace ckpt::graph
