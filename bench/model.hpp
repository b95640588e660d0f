// The transformer of input.hpp as variables of a program.
#pragma once

#include "input.hpp"

#include <ckpt/ckpt.hpp>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>

namespace ckpt::bench {

/// Variables that lie in `memory`, one after the other.
class Model : public Trackable {
 public:
  Model(std::int64_t mebibytes, std::span<std::byte> memory) {
    for (const ModelTensor& tensor : transformer(mebibytes)) {
      std::string name = tensor.path;
      std::ranges::replace(name, '/', '.');
      track(name, AnyVariable::wrap(DType::f32, tensor.shape, memory.first(tensor.data.size())));
      memory = memory.subspan(tensor.data.size());
    }
  }
};

/// source(mebibytes), for a model that nothing restores into. The memory itself is not constant.
inline std::span<std::byte> lent_source(std::int64_t mebibytes) {
  const std::span<const std::byte> memory = source(mebibytes);
  return {const_cast<std::byte*>(memory.data()), memory.size()};
}

}  // namespace ckpt::bench
