// Conversion between the floating-point dtypes.
#pragma once

#include <ckpt/dtype.hpp>

#include <cstddef>
#include <span>

namespace ckpt::graph {

/// Whether both are among f16, bf16, f32 and f64.
bool can_cast(DType from, DType to) noexcept;

/// Converts every element, rounded to the nearest, ties to even; what is too large becomes infinite, NaN stays NaN.
/// Needs can_cast(), and spans for the same number of elements, which must not overlap.
void cast(DType from, std::span<const std::byte> source, DType to, std::span<std::byte> destination);

}  // namespace ckpt::graph
