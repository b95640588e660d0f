// The tree of sums over the index: level 1 has a sum for each page of the index, each further level one for each page
// of sums below it, and the footer the sum of the last.
#pragma once

#include "base/checked.hpp"
#include "format/hash.hpp"
#include "format/layout.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ckpt::format {

inline constexpr std::uint64_t kSumBytes = sizeof(std::uint64_t);

/// Bytes of the level above one of `size` bytes.
constexpr std::uint64_t level_above(std::uint64_t size) noexcept {
  return base::divide_up(size, kPageBytes) * kSumBytes;
}

/// Page `page` of a level; the last one may be shorter.
inline std::span<const std::byte> page_of(std::span<const std::byte> level, std::uint64_t page) noexcept {
  const auto start = static_cast<std::size_t>(page * kPageBytes);
  return level.subspan(start, std::min(kPageBytes, level.size() - start));
}

/// Bytes of all levels of sums for an index of that size.
std::uint64_t sums_bytes(std::uint64_t index_size) noexcept;

struct PageSums {
  std::vector<std::uint64_t> levels;  ///< as they lie in the file
  std::uint64_t root = 0;
};
PageSums build_page_sums(std::span<const std::byte> index, Hash hash);

}  // namespace ckpt::format
