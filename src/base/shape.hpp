// What dimensions may be.
#pragma once

#include <cstdint>
#include <span>

namespace ckpt::base {

/// Why these cannot be the dimensions of a tensor, or nullptr: none is negative, and their product (zeros left out)
/// fits in 63 bits.
const char* why_not_dims(std::span<const std::int64_t> dims) noexcept;

}  // namespace ckpt::base
