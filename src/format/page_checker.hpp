// Believing nothing of an index before its sum was checked: page by page, when it is touched, so that opening a file
// costs the same whatever the size of its index.
#pragma once

#include "format/hash.hpp"
#include "format/layout.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>

namespace ckpt::format {

/// Fills `destination` from `offset` in the file. Throws io, or corrupt when the file has become shorter.
using ReadAt = std::function<void(std::uint64_t offset, std::span<std::byte> destination)>;

/// The pages of an index and of the sums over it, each checked when it is first touched and remembered. Thread-safe.
///
/// The first few pages are read, the others are used where they are mapped: the first touch of a mapped page costs as
/// much as reading several, and opening a file to bind one tensor touches no more than these few.
class PageChecker {
 public:
  /// `index` lies at `index_offset` in the file, `sums` (of sums_bytes(index.size())) behind it; both must outlive this
  /// object. `read` is let go when it is of no more use, and empty when index and sums are in memory anyway.
  PageChecker(std::span<const std::byte> index, std::span<const std::byte> sums, std::uint64_t root,
              std::uint64_t index_offset, Hash hash, ReadAt read);

  /// `size` > 0 bytes at `offset` of the index, which must lie within it; they stay as long as this object. Throws
  /// corrupt when a page with any of them is damaged; what `read` throws.
  const std::byte* get(std::uint64_t offset, std::uint64_t size) {
    const std::uint64_t page = offset / kPageBytes;
    if ((offset + size - 1) / kPageBytes == page) return page_at(0, page) + offset % kPageBytes;
    require(offset, size);
    return levels_[0].bytes.data() + offset;
  }

  /// Checks these bytes where `index` has them.
  void require(std::uint64_t offset, std::uint64_t size);

  /// Uses the mapping alone from now on. For those who read whole parts of the index.
  void stop_reading();

  /// Where in the index bytes from get() lie.
  std::uint64_t offset_of(const std::byte* bytes) const noexcept;

 private:
  struct Level {
    std::span<const std::byte> bytes;
    std::uint64_t offset = 0;                               // in the file
    std::unique_ptr<std::atomic<std::uint64_t>[]> checked;  // one bit a page of `bytes`
  };
  // A page that was read, and checked.
  struct Copy {
    std::size_t level;
    std::uint64_t page;
  };
  struct alignas(std::uint64_t) Page {
    std::array<std::byte, kPageBytes> bytes;
  };
  static constexpr std::size_t kMostLevels = 5;  // 4096 * 512^4 bytes of index
  static constexpr std::size_t kMostCopies = 12;

  bool is_checked(std::size_t level, std::uint64_t page) const noexcept {
    return (levels_[level].checked[page / 64].load(std::memory_order_acquire) >> (page % 64) & 1U) != 0;
  }
  const std::byte* page_at(std::size_t level, std::uint64_t page) {
    return is_checked(level, page) ? levels_[level].bytes.data() + page * kPageBytes : first_touch(level, page);
  }
  void add_level(std::span<const std::byte> bytes, std::uint64_t offset);
  const std::byte* first_touch(std::size_t level, std::uint64_t page);
  const std::byte* copy_of(std::size_t level, std::uint64_t page) const noexcept;
  const std::byte* read_copy(std::size_t level, std::uint64_t page, std::uint64_t sum);
  std::uint64_t sum_of(std::size_t level, std::uint64_t page);
  void check(std::size_t level, std::uint64_t page, std::span<const std::byte> bytes, std::uint64_t sum) const;
  void check_mapped(std::size_t level, std::uint64_t page, std::uint64_t sum);

  std::array<Level, kMostLevels> levels_;  // 0 is the index
  std::size_t count_ = 0;
  std::uint64_t root_;
  Hash hash_;
  std::mutex reading_;  // for read_ and for adding copies
  ReadAt read_;
  std::array<Page, kMostCopies> pages_;
  std::array<Copy, kMostCopies> copies_{};  // what is in pages_
  std::atomic<std::size_t> copied_ = 0;     // how many there are
};

}  // namespace ckpt::format
