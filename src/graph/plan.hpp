// What a restore will do to live objects, worked out before anything is changed.
#pragma once

#include "graph/node.hpp"
#include "graph/restoration.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

namespace ckpt::graph {

/// match() any number of times, then prepare(), then apply(). Until apply() nothing that exists is changed.
class Plan {
 public:
  /// Binds a file node to a live node, and what is under the one to what is under the other. Of several restorations,
  /// the one to win (the latest) must come first.
  void match(const std::shared_ptr<Restoration>& restoration, std::uint32_t file_node,
             const std::shared_ptr<Node>& node);

  /// Checks dtypes and shapes, reads (or maps) the values, checks their sums as the restoration wants. Throws mismatch,
  /// corrupt, io.
  void prepare();

  void apply();

 private:
  struct Match {
    std::shared_ptr<Restoration> restoration;
    std::uint32_t file_node;
    std::shared_ptr<Node> node;
  };
  struct Assignment {
    std::shared_ptr<Restoration> restoration;
    std::uint32_t file_node;
    std::shared_ptr<VariableNode> variable;
    TensorView value;     // what is copied, if `replacement` is not to have it
    Storage replacement;  // the new memory of the variable; no data when it keeps its own
    bool copies = true;
  };

  void step(const Match& match);
  void assign(const Match& match);
  void descend(const Match& match);
  void connect_slots(const Match& match);
  std::shared_ptr<Node> live(const Restoration& restoration, std::uint32_t file_node) const;
  static void bind_memory(Assignment& assignment);

  std::deque<Match> todo_;
  std::vector<Match> matches_;
  std::vector<Assignment> assignments_;
  std::unordered_map<const Restoration*, std::unordered_map<std::uint32_t, std::shared_ptr<Node>>> planned_;
  std::unordered_map<const VariableNode*, std::uint64_t> planned_uid_;
};

/// New memory for a variable that takes the tensor with that index, bound as the restoration wants.
Storage load_new(const Restoration& restoration, std::size_t tensor);

/// The tensor behind a file node that has one. Throws mismatch (naming `path` in the file) unless dtype and shape are
/// as wanted.
std::size_t require_tensor(const Restoration& restoration, std::uint32_t file_node, DType dtype, const Shape& shape);

}  // namespace ckpt::graph
