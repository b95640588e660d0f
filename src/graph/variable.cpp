#include "base/text.hpp"
#include "graph/access.hpp"
#include "graph/node.hpp"

#include <ckpt/error.hpp>
#include <ckpt/variable.hpp>

#include <cstring>

namespace ckpt {
namespace {

graph::VariableNode& require(const std::shared_ptr<graph::VariableNode>& node) {
  if (!node) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "the variable handle is empty", .advice = "create the variable first"}};
  }
  return *node;
}

void require_size(DType dtype, const Shape& shape, std::size_t size) {
  const std::size_t wanted = graph::size_in_bytes(dtype, shape);
  if (size != wanted) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "the memory does not have the size of the variable",
                 .expected = std::to_string(wanted) + " bytes for " + graph::describe(dtype, shape),
                 .found = std::to_string(size) + " bytes"}};
  }
}

}  // namespace

AnyVariable::AnyVariable(DType dtype, const Shape& shape) {
  graph::Storage storage = graph::allocate(graph::size_in_bytes(dtype, shape));
  std::memset(storage.data, 0, storage.size);
  node_ = std::make_shared<graph::VariableNode>(dtype, shape, std::move(storage));
}

AnyVariable AnyVariable::wrap(DType dtype, const Shape& shape, std::span<std::byte> memory) {
  require_size(dtype, shape, memory.size());
  return AnyVariable{std::make_shared<graph::VariableNode>(
      dtype, shape, graph::Storage{graph::Storage::Kind::lent, memory.data(), memory.size(), nullptr})};
}

AnyVariable AnyVariable::view(const TensorView& tensor) {
  const auto bytes = tensor.bytes();
  require_size(tensor.dtype(), tensor.shape(), bytes.size());
  return AnyVariable{std::make_shared<graph::VariableNode>(
      tensor.dtype(), tensor.shape(),
      graph::Storage{graph::Storage::Kind::view, const_cast<std::byte*>(bytes.data()), bytes.size(), tensor.owner()})};
}

DType AnyVariable::dtype() const { return require(node_).dtype; }

const Shape& AnyVariable::shape() const { return require(node_).shape; }

std::span<const std::byte> AnyVariable::bytes() const { return require(node_).storage.bytes(); }

std::span<std::byte> AnyVariable::mutable_bytes() {
  const graph::Storage& storage = require(node_).storage;
  if (storage.kind == graph::Storage::Kind::view) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "the variable is a read-only view of a file",
                 .found = graph::describe(node_->dtype, node_->shape),
                 .advice = "restore with Binding::copy_on_write or Binding::copy to write to it, and read through "
                           "values() or bytes()"}};
  }
  return storage.writable();
}

bool AnyVariable::read_only() const { return require(node_).storage.kind == graph::Storage::Kind::view; }

void AnyVariable::require_dtype(DType wanted) const {
  if (!node_ || node_->dtype == wanted) return;
  throw Error{ErrorCode::mismatch,
              {.problem = "the variable has another dtype",
               .expected = std::string{to_string(wanted)},
               .found = std::string{to_string(node_->dtype)}}};
}

AnyVariable::AnyVariable(DType dtype, std::string_view value)
    : node_{std::make_shared<graph::VariableNode>(dtype, Shape{}, graph::initial_storage(dtype, Shape{}))} {
  set_text(value);
}

std::string AnyVariable::text() const {
  const graph::VariableNode& node = require(node_);
  return TensorView{node.dtype, node.shape, node.storage.bytes(), node.storage.owner}.strings().front();
}

void AnyVariable::set_text(std::string_view value) {
  graph::VariableNode& node = require(node_);
  if (node.dtype == DType::string && !base::is_utf8(value)) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "this text is not UTF-8",
                 .found = base::escape(value),
                 .advice = "keep bytes of another kind in a Variable<Bytes>"}};
  }
  const std::string element{value};
  const Bytes encoded = encode_strings(std::span{&element, 1});
  graph::Storage storage = graph::allocate(encoded.size());
  std::memcpy(storage.data, encoded.data(), encoded.size());
  node.storage = std::move(storage);
}

void AnyVariable::require_scalar() const {
  const Shape& dims = shape();
  if (dims.elements() == 1) return;
  throw Error{ErrorCode::invalid_argument,
              {.problem = "the variable has not exactly one element, so it has no single value",
               .found = graph::describe(node_->dtype, dims),
               .advice = "use values() or mutable_values()"}};
}

}  // namespace ckpt
