#include "format/page_checker.hpp"

#include "base/checked.hpp"
#include "base/text.hpp"
#include "format/little_endian.hpp"
#include "format/page_sums.hpp"

#include <ckpt/error.hpp>

#include <utility>

namespace ckpt::format {

PageChecker::PageChecker(std::span<const std::byte> index, std::span<const std::byte> sums, std::uint64_t root,
                         std::uint64_t index_offset, Hash hash, ReadAt read)
    : root_{root}, hash_{hash}, read_{std::move(read)} {
  std::uint64_t offset = index_offset;
  add_level(index, offset);
  offset += index.size();
  while (!sums.empty()) {
    const auto size = static_cast<std::size_t>(level_above(levels_[count_ - 1].bytes.size()));
    add_level(sums.first(size), offset);
    sums = sums.subspan(size);
    offset += size;
  }
}

void PageChecker::add_level(std::span<const std::byte> bytes, std::uint64_t offset) {
  Level& level = levels_[count_++];
  level.bytes = bytes;
  level.offset = offset;
  const auto words = static_cast<std::size_t>(base::divide_up(base::divide_up(bytes.size(), kPageBytes), 64));
  level.checked = std::make_unique<std::atomic<std::uint64_t>[]>(words);
}

void PageChecker::require(std::uint64_t offset, std::uint64_t size) {
  if (size == 0) return;
  const std::uint64_t last = (offset + size - 1) / kPageBytes;
  for (std::uint64_t page = offset / kPageBytes; page <= last; ++page) {
    if (!is_checked(0, page)) check_mapped(0, page, sum_of(0, page));
  }
}

void PageChecker::stop_reading() {
  const std::scoped_lock lock{reading_};
  read_ = nullptr;
}

std::uint64_t PageChecker::offset_of(const std::byte* bytes) const noexcept {
  for (std::size_t i = 0; i < copied_.load(std::memory_order_acquire); ++i) {
    const auto distance =
        reinterpret_cast<std::uintptr_t>(bytes) - reinterpret_cast<std::uintptr_t>(pages_[i].bytes.data());
    if (copies_[i].level == 0 && distance < kPageBytes) return copies_[i].page * kPageBytes + distance;
  }
  return static_cast<std::uint64_t>(bytes - levels_[0].bytes.data());
}

const std::byte* PageChecker::first_touch(std::size_t level, std::uint64_t page) {
  if (const std::byte* copy = copy_of(level, page)) return copy;
  const std::uint64_t sum = sum_of(level, page);
  if (const std::byte* copy = read_copy(level, page, sum)) return copy;
  check_mapped(level, page, sum);
  return page_of(levels_[level].bytes, page).data();
}

const std::byte* PageChecker::copy_of(std::size_t level, std::uint64_t page) const noexcept {
  const std::size_t copied = copied_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < copied; ++i) {
    if (copies_[i].page == page && copies_[i].level == level) return pages_[i].bytes.data();
  }
  return nullptr;
}

// Nothing when there is no room for more.
const std::byte* PageChecker::read_copy(std::size_t level, std::uint64_t page, std::uint64_t sum) {
  const std::scoped_lock lock{reading_};
  if (const std::byte* copy = copy_of(level, page)) return copy;  // of another thread
  if (!read_) return nullptr;
  const std::size_t copied = copied_.load(std::memory_order_relaxed);
  const std::span bytes = std::span{pages_[copied].bytes}.first(page_of(levels_[level].bytes, page).size());
  read_(levels_[level].offset + page * kPageBytes, bytes);
  check(level, page, bytes, sum);
  copies_[copied] = {level, page};
  copied_.store(copied + 1, std::memory_order_release);
  if (copied + 1 == kMostCopies) read_ = nullptr;
  return bytes.data();
}

std::uint64_t PageChecker::sum_of(std::size_t level, std::uint64_t page) {
  if (level + 1 == count_) return root_;
  const std::uint64_t at = page * kSumBytes;
  return load<std::uint64_t>({page_at(level + 1, at / kPageBytes), kPageBytes}, at % kPageBytes);
}

void PageChecker::check(std::size_t level, std::uint64_t page, std::span<const std::byte> bytes,
                        std::uint64_t sum) const {
  const std::uint64_t actual = hash_(bytes, 0);
  if (actual == sum) return;
  throw Error{ErrorCode::corrupt,
              {.problem = level == 0 ? "damaged page of the index" : "damaged page sums of the index",
               .offset = levels_[level].offset + page * kPageBytes,
               .expected = "xxh3 " + base::hex16(sum),
               .found = "xxh3 " + base::hex16(actual),
               .advice = "the file is damaged: use another checkpoint"}};
}

// A page that two threads check at once is hashed twice, which does no harm.
void PageChecker::check_mapped(std::size_t level, std::uint64_t page, std::uint64_t sum) {
  check(level, page, page_of(levels_[level].bytes, page), sum);
  levels_[level].checked[page / 64].fetch_or(std::uint64_t{1} << (page % 64), std::memory_order_release);
}

}  // namespace ckpt::format
