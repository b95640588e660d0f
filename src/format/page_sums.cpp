#include "format/page_sums.hpp"

#include <utility>

namespace ckpt::format {

std::uint64_t sums_bytes(std::uint64_t index_size) noexcept {
  std::uint64_t total = 0;
  std::uint64_t level = index_size;
  do {
    level = level_above(level);
    total += level;
  } while (level > kPageBytes);
  return total;
}

PageSums build_page_sums(std::span<const std::byte> index, Hash hash) {
  PageSums result;
  std::vector<std::uint64_t> below;
  std::span<const std::byte> bytes = index;
  do {
    std::vector<std::uint64_t> level(static_cast<std::size_t>(base::divide_up(bytes.size(), kPageBytes)));
    for (std::size_t page = 0; page < level.size(); ++page) level[page] = hash(page_of(bytes, page), 0);
    result.levels.insert(result.levels.end(), level.begin(), level.end());
    below = std::move(level);
    bytes = std::as_bytes(std::span{below});
  } while (bytes.size() > kPageBytes);
  result.root = hash(bytes, 0);
  return result;
}

}  // namespace ckpt::format
