// Copying more than the cache holds.
#pragma once

#include <cstddef>

namespace ckpt::base {

/// Copies `size` bytes between memory that does not overlap. Large amounts go past the cache on their way out: what is
/// written is not read into the cache first, and what was there stays.
void stream_copy(std::byte* to, const std::byte* from, std::size_t size) noexcept;

inline constexpr std::size_t kStreamBlock = std::size_t{16} << 10U;
inline constexpr std::size_t kStreamAlignment = 64;

/// Copies a block, as stream_copy() does, and to `kept` besides, which stays in the cache. `from` is read once: both
/// copies are the same, whoever writes to it meanwhile. `to` and `kept` lie on kStreamAlignment; `more`: another block
/// follows in `from`, and is to be copied next. After the last block, finish_streams().
void stream_copy_and_keep(std::byte* to, std::byte* kept, const std::byte* from, bool more) noexcept;

/// Call before another thread is told of the copies.
void finish_streams() noexcept;

}  // namespace ckpt::base
