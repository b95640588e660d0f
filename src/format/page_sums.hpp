// The tree of sums over the index: a page of the index is checked when it is first touched, and so is each page of sums
// above it, so that opening a file costs the same whatever the size of its index.
#pragma once

#include "format/hash.hpp"
#include "format/layout.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace ckpt::format {

/// Bytes of all levels of sums for an index of that size.
std::uint64_t sums_bytes(std::uint64_t index_size) noexcept;

struct PageSums {
  std::vector<std::uint64_t> levels;  ///< as they lie in the file
  std::uint64_t root = 0;
};
PageSums build_page_sums(std::span<const std::byte> index, Hash hash);

/// Checks pages as they are touched and remembers which it has checked. Thread-safe.
class PageChecker {
 public:
  /// `index` lies at `index_offset` in the file, `sums` (of sums_bytes(index.size())) behind it; both must outlive this
  /// object. Throws corrupt when the last level of sums does not give `root`.
  PageChecker(std::span<const std::byte> index, std::span<const std::byte> sums, std::uint64_t root,
              std::uint64_t index_offset, Hash hash);

  /// Throws corrupt when a page with any of these bytes of the index is damaged. The range must lie within the index.
  void require(std::uint64_t offset, std::uint64_t size) {
    if (size == 0) return;
    const std::uint64_t last = (offset + size - 1) / kPageBytes;
    for (std::uint64_t page = offset / kPageBytes; page <= last; ++page) require_page(0, page);
  }

 private:
  struct Level {
    std::span<const std::byte> bytes;
    std::uint64_t offset = 0;                               // in the file
    std::unique_ptr<std::atomic<std::uint64_t>[]> checked;  // one bit a page
  };
  static constexpr std::size_t kMostLevels = 5;  // 4096 * 512^4 bytes of index

  void require_page(std::size_t level, std::uint64_t page) {
    const std::uint64_t word = levels_[level].checked[page / 64].load(std::memory_order_acquire);
    if ((word >> (page % 64) & 1U) == 0) check_page(level, page);
  }
  void check_page(std::size_t level, std::uint64_t page);
  void add_level(std::span<const std::byte> bytes, std::uint64_t offset);

  std::array<Level, kMostLevels> levels_;  // 0 is the index
  std::size_t count_ = 0;
  Hash hash_;
};

}  // namespace ckpt::format
