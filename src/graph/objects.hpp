// Operations on live nodes: new variables, slots and children, which take what earlier restores left for them.
#pragma once

#include "graph/node.hpp"

#include <functional>
#include <memory>
#include <string_view>

namespace ckpt::graph {

/// Fills a new variable that nothing was restored into; may throw.
using Fill = std::function<void(const std::shared_ptr<VariableNode>&)>;

std::shared_ptr<VariableNode> create_variable(Node& parent, std::string_view name, DType dtype, const Shape& shape,
                                              const Fill& fill);

std::shared_ptr<VariableNode> create_slot(Node& owner, const std::shared_ptr<VariableNode>& variable,
                                          std::string_view name, DType dtype, const Shape& shape, const Fill& fill);

/// What Trackable::after_restore throws comes through; the child is not tracked then.
void track(const std::shared_ptr<Node>& parent, std::string_view name, const std::shared_ptr<Node>& child);

/// Takes a child away again.
void untrack(Node& parent, std::string_view name) noexcept;

}  // namespace ckpt::graph
