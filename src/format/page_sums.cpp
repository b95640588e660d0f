#include "format/page_sums.hpp"

#include "base/checked.hpp"
#include "base/text.hpp"
#include "format/little_endian.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <string>

namespace ckpt::format {
namespace {

constexpr std::uint64_t kSumBytes = sizeof(std::uint64_t);

// Bytes of the level above one of `size` bytes.
std::uint64_t level_above(std::uint64_t size) noexcept { return base::divide_up(size, kPageBytes) * kSumBytes; }

std::span<const std::byte> page_of(std::span<const std::byte> bytes, std::uint64_t page) noexcept {
  const auto start = static_cast<std::size_t>(page * kPageBytes);
  return bytes.subspan(start, std::min(kPageBytes, bytes.size() - start));
}

[[noreturn]] void damaged(std::uint64_t offset, std::uint64_t expected, std::uint64_t actual, bool is_index) {
  throw Error{ErrorCode::corrupt,
              {.problem = is_index ? "damaged page of the index" : "damaged page sums of the index",
               .offset = offset,
               .expected = "xxh3 " + base::hex16(expected),
               .found = "xxh3 " + base::hex16(actual),
               .advice = "the file is damaged: use another checkpoint"}};
}

}  // namespace

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

PageChecker::PageChecker(std::span<const std::byte> index, std::span<const std::byte> sums, std::uint64_t root,
                         std::uint64_t index_offset, Hash hash)
    : hash_{hash} {
  std::uint64_t offset = index_offset;
  add_level(index, offset);
  offset += index.size();
  while (!sums.empty()) {
    const auto size = static_cast<std::size_t>(level_above(levels_[count_ - 1].bytes.size()));
    add_level(sums.first(size), offset);
    sums = sums.subspan(size);
    offset += size;
  }
  const Level& top = levels_[count_ - 1];
  const std::uint64_t actual = hash_(top.bytes, 0);
  if (actual != root) damaged(top.offset, root, actual, false);
  top.checked[0].store(1, std::memory_order_release);
}

void PageChecker::add_level(std::span<const std::byte> bytes, std::uint64_t offset) {
  Level& level = levels_[count_++];
  level.bytes = bytes;
  level.offset = offset;
  const auto words = static_cast<std::size_t>(base::divide_up(base::divide_up(bytes.size(), kPageBytes), 64));
  level.checked = std::make_unique<std::atomic<std::uint64_t>[]>(words);
}

// A page that two threads check at once is hashed twice, which does no harm.
void PageChecker::check_page(std::size_t level, std::uint64_t page) {
  require_page(level + 1, page * kSumBytes / kPageBytes);
  const auto expected = load<std::uint64_t>(levels_[level + 1].bytes, static_cast<std::size_t>(page * kSumBytes));
  const std::uint64_t actual = hash_(page_of(levels_[level].bytes, page), 0);
  if (actual != expected) {
    damaged(levels_[level].offset + page * kPageBytes, expected, actual, level == 0);
  }
  levels_[level].checked[page / 64].fetch_or(std::uint64_t{1} << (page % 64), std::memory_order_release);
}

}  // namespace ckpt::format
