// The model that is saved and restored. A layout file has a line a tensor: path, dtype, dimensions joined by ','; all
// separated by tabs.
#include "../machine.hpp"
#include "driver.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace ckpt::bench {
namespace {

std::size_t size_of(DType dtype, const Shape& shape) {
  return static_cast<std::size_t>(shape.elements()) * (bits_of(dtype) / 8);
}

Tensor parse(const std::string& line) {
  std::istringstream fields{line};
  std::string path, dtype, dims;
  std::getline(fields, path, '\t');
  std::getline(fields, dtype, '\t');
  std::getline(fields, dims);
  const std::optional<DType> known = dtype_from_string(dtype);
  if (!known) throw std::invalid_argument{"no such dtype in the layout: " + line};
  std::vector<std::int64_t> shape;
  std::istringstream numbers{dims};
  for (std::string number; std::getline(numbers, number, ',');) shape.push_back(std::stoll(number));
  return {path, *known, Shape{std::span<const std::int64_t>{shape}}, {}};
}

// Memory of at least that size, filled from the file or with random bytes.
std::span<const std::byte> memory_for(std::size_t size, const std::string& data) {
  const auto mebibytes = static_cast<std::int64_t>((size + kMiB - 1) / kMiB);
  const std::span<const std::byte> memory = source(mebibytes);
  if (!data.empty()) {
    // The pool gives it as constant; nobody else uses it yet.
    auto* writable = const_cast<std::byte*>(memory.data());
    std::ifstream in{data, std::ios::binary};
    in.read(reinterpret_cast<char*>(writable), static_cast<std::streamsize>(size));
    if (static_cast<std::size_t>(in.gcount()) != size) throw std::runtime_error{data + " is shorter than the layout"};
  }
  return memory;
}

// Fields: layout; data (a file with the tensors' bytes, one after the other; else random); memory_mib (less memory than
// the tensors have: parts of it are used again).
void load_model(Session& session, const Request& request, Answer& answer) {
  Model model;
  std::ifstream in{request.text("layout")};
  if (!in) throw std::runtime_error{"cannot read " + request.text("layout")};
  for (std::string line; std::getline(in, line);) {
    model.tensors.push_back(parse(line));
    model.bytes += size_of(model.tensors.back().dtype, model.tensors.back().shape);
  }
  const auto at_most = static_cast<std::size_t>(request.number_or("memory_mib", 1 << 20)) * kMiB;
  const std::size_t size = std::min<std::size_t>(model.bytes, at_most);
  model.memory = memory_for(size, request.text_or("data", "")).first(size);
  std::size_t at = 0;
  for (Tensor& tensor : model.tensors) {
    const std::size_t wanted = size_of(tensor.dtype, tensor.shape);
    if (at + wanted > size) at = 0;
    tensor.data = model.memory.subspan(at, wanted);
    at += wanted;
    model.sum += sum(tensor.data);
  }
  session.model = std::move(model);
  answer.set("tensors", session.model.tensors.size());
  answer.set("bytes", session.model.bytes);
  answer.set("sum", session.model.sum);
}

// The machine under the folder `file`.
void describe(Session& /*session*/, const Request& request, Answer& answer) {
  for (const auto& [name, value] : describe_machine(request.file())) answer.set(name, value);
}

}  // namespace

std::span<std::byte> Session::destination() const {
  const std::span<std::byte> memory = target(static_cast<std::int64_t>((model.bytes + kMiB - 1) / kMiB));
  return memory.first(model.bytes);
}

Variables::Variables(const Model& model, std::optional<std::span<std::byte>> memory) {
  std::size_t at = 0;
  for (const Tensor& tensor : model.tensors) {
    // Without `memory` nothing restores into it, and the model's memory itself is not constant.
    std::byte* data = memory ? memory->data() + at : const_cast<std::byte*>(tensor.data.data());
    track(tensor.path, AnyVariable::wrap(tensor.dtype, tensor.shape, {data, tensor.data.size()}));
    at += tensor.data.size();
  }
}

Operations model_operations() { return {{"model", load_model}, {"machine", describe}}; }

}  // namespace ckpt::bench
