// A copy and its checksum in one pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ckpt::codec {

/// Copies `from` to `to`, which has its size and does not overlap it, and returns xxh3(to, seed). The sum is that of
/// the copy even when `from` changes meanwhile, as a mapped file may. Large amounts go past the cache. Throws
/// std::bad_alloc.
std::uint64_t copy_with_sum(std::span<std::byte> to, std::span<const std::byte> from, std::uint64_t seed);

}  // namespace ckpt::codec
