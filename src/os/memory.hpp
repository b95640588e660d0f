// Large memory straight from the kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ckpt::os {

/// The smallest size of huge pages.
inline constexpr std::size_t kHugePage = std::size_t{2} << 20U;

/// Has memory that was not touched yet in huge pages, where the kernel has them: fewer faults, and longer requests of a
/// device that writes into it. A hint.
void prefer_huge_pages(std::span<std::byte> memory) noexcept;

/// Anonymous memory in huge pages where the kernel has them; before Linux 6.7, which aligns it to them, not at its
/// ends. A process that is forked does not get it: it is for copies of data on its way between this process and a file,
/// and a child would make each page that is written to be copied once more. Move-only; may be empty.
class Memory {
 public:
  /// Sizes are rounded up to it.
  static constexpr std::size_t kGranularity = kHugePage;

  Memory() = default;
  /// At least `bytes`, not zero. Throws limit when the system has no room.
  explicit Memory(std::uint64_t bytes);
  ~Memory();
  Memory(Memory&& other) noexcept;
  Memory& operator=(Memory&& other) noexcept;

  /// What a Memory of that many bytes takes.
  static std::uint64_t rounded(std::uint64_t bytes) noexcept;

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace ckpt::os
