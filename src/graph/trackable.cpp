#include "graph/access.hpp"
#include "graph/objects.hpp"
#include "graph/save.hpp"

#include <ckpt/containers.hpp>
#include <ckpt/error.hpp>
#include <ckpt/trackable.hpp>

namespace ckpt {
namespace {

graph::Node& require(const std::shared_ptr<graph::Node>& node) {
  if (!node) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "the object was moved from, so it has no place in the graph any more",
                 .advice = "use the object that it was moved to"}};
  }
  return *node;
}

graph::Fill fill_with(const std::function<void(AnyVariable&)>& init) {
  if (!init) return {};
  return [&init](const std::shared_ptr<graph::VariableNode>& node) {
    AnyVariable variable = graph::Access::variable(node);
    init(variable);
  };
}

}  // namespace

Trackable::Trackable() : node_{std::make_shared<graph::Node>()} { node_->object = this; }

Trackable::Trackable(Trackable&& other) noexcept : node_{std::move(other.node_)} {
  if (node_) node_->object = this;
}

Trackable& Trackable::operator=(Trackable&& other) noexcept {
  if (this == &other) return *this;
  if (node_) node_->object = nullptr;
  node_ = std::move(other.node_);
  if (node_) node_->object = this;
  return *this;
}

// Others may hold the node for a moment longer.
Trackable::~Trackable() {
  if (node_) node_->object = nullptr;
}

AnyVariable Trackable::add_variable(std::string_view name, DType dtype, const Shape& shape,
                                    const ByteInitializer& init) {
  return graph::Access::variable(graph::create_variable(require(node_), name, dtype, shape, fill_with(init)));
}

void Trackable::track(std::string_view name, const Child& child) {
  require(node_);
  graph::track(node_, name, graph::Access::node(child));
}

AnyVariable Trackable::add_slot(const AnyVariable& variable, std::string_view name, DType dtype, const Shape& shape,
                                const ByteInitializer& init) {
  const auto& node = graph::Access::node(variable);
  if (!node) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "a slot needs a variable, and this handle is empty", .object = std::string{name}}};
  }
  return graph::Access::variable(graph::create_slot(require(node_), node, name, dtype, shape, fill_with(init)));
}

void Child::set_variable(const AnyVariable& variable) {
  node_ = graph::Access::node(variable);
  if (!node_) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "an empty variable handle cannot be tracked",
                 .advice = "create the variable first, or let the object create it with add_variable"}};
  }
}

// A Checkpoint of a root object has no place of its own: it stands for that object.
void Child::set_object(Trackable& object) {
  node_ = graph::Access::node(object);
  if (node_) return;
  const auto* checkpoint = dynamic_cast<const Checkpoint*>(&object);
  const auto state = checkpoint != nullptr ? graph::Access::state(*checkpoint) : nullptr;
  if (state) {
    node_ = graph::require_root(*state);
  } else {
    require(node_);
  }
}

void graph::throw_null_element(std::string_view name) {
  throw Error{ErrorCode::invalid_argument,
              {.problem = "a null pointer cannot be an element", .object = std::string{name}}};
}

}  // namespace ckpt
