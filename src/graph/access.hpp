// The door from the public handles to their nodes.
#pragma once

#include "graph/node.hpp"

#include <ckpt/checkpoint.hpp>

#include <filesystem>
#include <memory>
#include <utility>

namespace ckpt::graph {

/// What a Checkpoint and its managers share.
struct CheckpointState {
  std::weak_ptr<Node> root;
  /// By the last restore() that succeeded, absolute: the save counter continues from that file.
  std::filesystem::path restored_from;
};

struct Access {
  static std::shared_ptr<Node>& node(Trackable& object) { return object.node_; }
  static const std::shared_ptr<VariableNode>& node(const AnyVariable& variable) { return variable.node_; }
  static const std::shared_ptr<Node>& node(const Child& child) { return child.node_; }
  static const std::shared_ptr<CheckpointState>& state(const Checkpoint& checkpoint) { return checkpoint.state_; }

  static AnyVariable variable(std::shared_ptr<VariableNode> node) { return AnyVariable{std::move(node)}; }
  static void before_save(Trackable& object) { object.before_save(); }
  static void after_restore(Trackable& object) { object.after_restore(); }
  static RestoreStatus status(std::shared_ptr<Restoration> restoration) {
    return RestoreStatus{std::move(restoration)};
  }
  static const std::shared_ptr<Restoration>& restoration(const RestoreStatus& status) { return status.restoration_; }
};

}  // namespace ckpt::graph
