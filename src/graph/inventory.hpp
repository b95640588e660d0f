// What a root reaches, found once and used as long as it is the same.
#pragma once

#include "graph/snapshot.hpp"
#include "graph/walk.hpp"

#include <ckpt/error.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <vector>

namespace ckpt::graph {

/// Objects by their handles, which keep none of them alive and are never those of another one.
using Asked = std::set<std::weak_ptr<Node>, std::owner_less<>>;

/// The objects and variables that a root has reached, with their names and the graph. It owns neither: the program's
/// code, which may destroy them, may run between any two calls.
class Inventory {
 public:
  /// Is not the same as anything.
  Inventory() = default;
  explicit Inventory(const std::shared_ptr<Node>& root);

  /// Whether the root reaches what it has reached: all objects live, and their children and slots are those they were.
  /// What becomes of other objects does not matter.
  bool is_same() const noexcept;

  /// Calls Trackable::before_save of all objects that live, but for those that were asked.
  void ask(const Asked& asked) const;
  void add_to(Asked& asked) const;

  /// The values as they lie now, kept by what is returned, in `list`, which is empty. While it is_same(). Throws
  /// invalid_argument when a child had been destroyed, or two variables have one path.
  Snapshot read(std::vector<Snapshot::Tensor> list) const;

 private:
  struct Object {
    const Node* node;
    std::weak_ptr<Node> handle;
    std::uint64_t changes;
  };
  static bool is_alive(const Object& object) noexcept { return !object.handle.expired() && object.node->object; }

  std::shared_ptr<const Snapshot::Layout> layout_;
  std::vector<Object> objects_;
  std::vector<const VariableNode*> variables_;  // in the order of the layout's paths; the objects hold them
  std::optional<ErrorDetails> problem_;         // why it cannot be saved
};

}  // namespace ckpt::graph
