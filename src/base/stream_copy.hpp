// Copying more than the cache holds.
#pragma once

#include <cstddef>

namespace ckpt::base {

/// Copies `size` bytes between memory that does not overlap. Large amounts go past the cache on their way out: what is
/// written is not read into the cache first, and what was there stays.
void stream_copy(std::byte* to, const std::byte* from, std::size_t size) noexcept;

}  // namespace ckpt::base
