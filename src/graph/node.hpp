// The nodes behind the handles: objects with named children, and variables with memory.
#pragma once

#include <ckpt/dtype.hpp>
#include <ckpt/shape.hpp>

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ckpt {
class Trackable;
}  // namespace ckpt

namespace ckpt::graph {

class Restoration;
struct Node;
struct VariableNode;

/// A node of a file; nothing when the file has none and a rename may lead to one further down.
using FileNode = std::optional<std::uint32_t>;

/// A named child. Variables are held strongly: they have no children, so they cannot close a cycle. Objects are held
/// weakly: the program owns them, and cycles of objects must not leak.
struct Edge {
  std::shared_ptr<VariableNode> variable;
  std::weak_ptr<Node> object;

  /// The child, or nullptr when it is an object that was destroyed, also when somebody still holds its node.
  std::shared_ptr<Node> lock() const;
};

/// State that a node (an optimizer) keeps for a variable.
struct Slot {
  std::weak_ptr<VariableNode> variable;
  std::shared_ptr<VariableNode> value;
};

/// A restore with values for children or slots that this node does not have yet. It is what keeps the restoration, and
/// the mapping of its file, alive. What lies before the cursors has been dealt with for good, so asking whether
/// anything is left takes constant time on average.
struct Pending {
  std::shared_ptr<Restoration> restoration;
  FileNode file_node;
  std::string path;  ///< of the node that waits, from the root of the checkpoint; empty unless the rules need paths
  std::size_t edge_cursor = 0;
  std::size_t slot_cursor = 0;
};

struct Node {
  const bool is_variable = false;
  Trackable* object = nullptr;  // whose node this is, while it lives; null for variables
  std::uint64_t changes = 0;    // how often the children or the slots have changed
  std::map<std::string, Edge, std::less<>> children;
  std::map<std::pair<const VariableNode*, std::string>, Slot> slots;
  std::list<Pending> pending;                        // by restore uid, descending
  std::vector<std::weak_ptr<Restoration>> restores;  // of a root: in their order; some are gone

  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// The child of that name; nullptr when there is none or it was destroyed.
  std::shared_ptr<Node> child(std::string_view name) const;
  std::shared_ptr<VariableNode> slot(const std::shared_ptr<VariableNode>& variable, const std::string& name) const;

 protected:
  explicit Node(bool variable) : is_variable{variable} {}
};

/// Memory of a variable and what keeps it.
struct Storage {
  enum class Kind : std::uint8_t {
    owned,    ///< ours, 64-byte aligned
    lent,     ///< the caller's
    view,     ///< read-only
    mapping,  ///< part of a private mapping
  };
  Kind kind = Kind::owned;
  std::byte* data = nullptr;  // never written through for a view
  std::size_t size = 0;
  std::shared_ptr<const void> owner;

  std::span<const std::byte> bytes() const noexcept { return {data, size}; }
  std::span<std::byte> writable() const noexcept { return {data, size}; }
};

/// Uninitialised memory of our own.
Storage allocate(std::size_t size);

struct VariableNode : Node {
  DType dtype{};
  Shape shape;
  Storage storage;
  std::uint64_t update_uid = 0;  // of the restore that gave the value, 0 for none

  VariableNode(DType type, const Shape& dims, Storage memory)
      : Node{true}, dtype{type}, shape{dims}, storage{std::move(memory)} {}
};

/// Gives a variable that is a read-only view memory of its own, with the same values.
void own_memory(VariableNode& variable);

/// Whether the values of a variable of this dtype, and not its shape, tell its size. One element.
constexpr bool has_variable_length(DType dtype) noexcept { return dtype == DType::string || dtype == DType::bytes; }

/// Memory for a new variable: zeros, or one empty string.
Storage initial_storage(DType dtype, const Shape& shape);

/// Bytes that a tensor takes. Throws invalid_argument for dtypes whose size the shape does not tell, limit when 64 bits
/// do not suffice.
std::size_t size_in_bytes(DType dtype, const Shape& shape);

/// "f32 [2, 3]".
std::string describe(DType dtype, const Shape& shape);

/// Throws invalid_argument when `name` cannot be the name of a child.
void require_name(std::string_view name);

inline std::shared_ptr<VariableNode> as_variable(const std::shared_ptr<Node>& node) {
  return node && node->is_variable ? std::static_pointer_cast<VariableNode>(node) : nullptr;
}

}  // namespace ckpt::graph
