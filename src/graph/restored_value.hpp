// How a tensor of a file becomes the value of a variable.
#pragma once

#include "graph/node.hpp"
#include "graph/restoration.hpp"

#include <ckpt/reader.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ckpt::graph {

/// A tensor of the file beside a variable.
struct Fit {
  enum class Kind : std::uint8_t {
    exact,  ///< same dtype and shape
    cast,   ///< to be converted
    skip,   ///< to be left alone
    none,   ///< an error
  };
  Kind kind = Kind::none;
  std::uint32_t file_node = 0;
  std::size_t tensor = 0;  ///< number in the reader
  TensorInfo info;
};

/// `path` is that of the variable, where the rules need it. Throws corrupt when the file has no such tensor.
Fit fit(const Restoration& restoration, std::uint32_t file_node, DType dtype, const Shape& shape,
        std::string_view path);

/// The error that Fit::Kind::none is.
Error mismatch(const Restoration& restoration, const Fit& fit, DType dtype, const Shape& shape);

/// The value for a new variable of that dtype, in memory as the restoration's binding wants. Throws corrupt, io.
Storage new_storage(const Restoration& restoration, const Fit& fit, DType dtype);

/// A value on its way to a variable that exists.
struct NewValue {
  TensorView value;     ///< what is copied, or converted, unless `replacement` has it already
  Storage replacement;  ///< new memory for the variable; no owner when it keeps its own
  bool copies = true;
};

/// Reads, or maps, and checks. Changes nothing. Throws corrupt, io.
NewValue new_value(const Restoration& restoration, const Fit& fit, const VariableNode& variable);

void assign(VariableNode& variable, NewValue&& value, std::uint64_t uid);

}  // namespace ckpt::graph
