#include "graph/node.hpp"

#include "base/checked.hpp"
#include "base/path.hpp"
#include "graph/restoration.hpp"

#include <ckpt/error.hpp>

#include <cstring>
#include <limits>
#include <new>

namespace ckpt::graph {
namespace {

constexpr std::align_val_t kAlignment{64};

}  // namespace

std::shared_ptr<Node> Edge::lock() const {
  if (variable) return variable;
  auto node = object.lock();
  return node && node->object != nullptr ? node : nullptr;
}

std::shared_ptr<Node> Node::child(std::string_view name) const {
  const auto position = children.find(name);
  return position == children.end() ? nullptr : position->second.lock();
}

std::shared_ptr<VariableNode> Node::slot(const std::shared_ptr<VariableNode>& variable, const std::string& name) const {
  const auto position = slots.find({variable.get(), name});
  // Another variable may have come to lie at the address of a destroyed one.
  if (position == slots.end() || position->second.variable.lock() != variable) return nullptr;
  return position->second.value;
}

Storage allocate(std::size_t size) {
  auto* data = static_cast<std::byte*>(::operator new(size, kAlignment));
  return {Storage::Kind::owned, data, size,
          std::shared_ptr<const void>{data, [](std::byte* memory) { ::operator delete(memory, kAlignment); }}};
}

void own_memory(VariableNode& variable) {
  if (variable.storage.kind != Storage::Kind::view) return;
  Storage memory = allocate(variable.storage.size);
  std::memcpy(memory.data, variable.storage.data, memory.size);
  variable.storage = std::move(memory);
}

Storage initial_storage(DType dtype, const Shape& shape) {
  constexpr std::size_t kOffsetsOfOneString = 2 * sizeof(std::uint64_t);
  Storage storage = allocate(has_variable_length(dtype) ? kOffsetsOfOneString : size_in_bytes(dtype, shape));
  std::memset(storage.data, 0, storage.size);
  return storage;
}

std::size_t size_in_bytes(DType dtype, const Shape& shape) {
  const std::size_t bits = bits_of(dtype);
  if (bits == 0) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "a variable cannot have this dtype: its shape does not tell its size",
                 .found = std::string{to_string(dtype)},
                 .advice = "store such tensors with ckpt::Writer"}};
  }
  const base::Checked total = base::Checked{static_cast<std::uint64_t>(shape.elements())} * bits + 7;
  if (!total.fits(std::numeric_limits<std::size_t>::max())) {
    throw Error{ErrorCode::limit, {.problem = "the variable is too large", .found = describe(dtype, shape)}};
  }
  return static_cast<std::size_t>(total.value() / 8);
}

std::string describe(DType dtype, const Shape& shape) { return std::string{to_string(dtype)} + " " + to_string(shape); }

void require_name(std::string_view name) {
  if (const char* reason = base::why_not_a_name(name)) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = std::string{"this cannot be the name of a child: "} + reason,
                 .object = std::string{name},
                 .advice = "use UTF-8 without '/' and control characters"}};
  }
}

}  // namespace ckpt::graph
