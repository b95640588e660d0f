// Where a reader's bytes come from: a mapping, or reads of the file.
#pragma once

#include "format/header.hpp"
#include "format/page_checker.hpp"
#include "os/direct_file.hpp"
#include "os/file.hpp"
#include "os/mapping.hpp"
#include "os/memory.hpp"

#include <ckpt/reader.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace ckpt::io {

/// Memory for one tensor, aligned for vector units and direct I/O. Throws limit when the system has none.
std::shared_ptr<std::byte> allocate_aligned(std::uint64_t size);

/// Memory for what is read past the page cache. A process has a few of these at a time, whatever the number of its
/// threads.
class BounceMemory {
 public:
  BounceMemory() = default;
  ~BounceMemory();
  BounceMemory(const BounceMemory&) = delete;
  BounceMemory& operator=(const BounceMemory&) = delete;

  /// Takes it, once. False when there is none: the page cache does without.
  bool take() noexcept;
  std::byte* data() const noexcept { return memory_.data(); }

 private:
  os::Memory memory_;
};

/// What a thread has read past the page cache, and copies from.
struct DirectBuffer {
  std::uint64_t until = 0;  ///< in the file: so far reads may go, for there is more to be copied; 0: none may
  BounceMemory memory;
  std::uint64_t offset = 0;
  std::span<const std::byte> bytes = {};  ///< of the file, from `offset` on
};

/// An open file in one of the two ways to read it. Immutable and thread-safe.
class Source {
 public:
  Source(const std::filesystem::path& path, ReadMode mode, bool copy_on_write);
  Source(const Source&) = delete;  // reads() points here
  Source& operator=(const Source&) = delete;

  /// When it was opened.
  std::uint64_t size() const noexcept { return size_; }
  /// Throws io.
  std::uint64_t size_now() const { return file_->size_now(); }
  bool is_mapped() const noexcept { return mapping_ != nullptr; }

  /// The two ends of the file, read rather than mapped: that costs less than a page fault, and a device that fails is
  /// an error.
  const format::HeaderBytes& header() const noexcept { return header_; }
  std::span<const std::byte, format::kFooterBytes> footer() const noexcept {
    return end().last<format::kFooterBytes>();
  }

  /// The bytes of a range that lies within the file: in the mapping, or read into `scratch`, which grows to that size.
  /// Throws as os::File::read_at.
  std::span<const std::byte> bytes(std::uint64_t offset, std::size_t size, std::vector<std::byte>& scratch) const;

  /// In mmap mode: reads from the file, for what need not be mapped. Else empty. It must not outlive this object.
  format::ReadAt reads() const;

  /// Copies a range that lies within the file, past the cache of the processor; in read mode, up to `buffer.until`,
  /// past the page cache, too, when that does not have it.
  void copy(std::uint64_t offset, std::span<std::byte> destination, DirectBuffer& buffer) const;

  /// The same, and returns the checksum of the copy: the file may change under a mapping, the copy does not.
  std::uint64_t copy_with_sum(std::uint64_t offset, std::span<std::byte> destination, std::uint64_t seed,
                              DirectBuffer& buffer) const;

  /// Has a mapped range, which lies within the file, in memory when it returns. `scratch` is reused between calls.
  /// Throws io, corrupt when the file has become shorter.
  void prefault(std::uint64_t offset, std::size_t size, std::vector<std::byte>& scratch) const;

  /// The same for what is used right afterwards: a kernel older than 5.14 only begins to read it. Nothing in read mode.
  void load(std::uint64_t offset, std::size_t size, std::vector<std::byte>& scratch) const;

  /// The same file, to be read explicitly.
  std::unique_ptr<const Source> unmapped() const;

  /// Null unless is_mapped().
  const std::shared_ptr<const os::Mapping>& mapping() const noexcept { return mapping_; }
  /// Null unless asked for.
  const std::shared_ptr<const os::Mapping>& private_mapping() const noexcept { return private_mapping_; }

 private:
  struct Unmapped {};
  Source(const Source& other, Unmapped);

  const os::DirectFile* direct() const;
  std::span<const std::byte> read_direct(std::uint64_t offset, std::size_t size, DirectBuffer& buffer) const;
  void read_instead(std::uint64_t offset, std::size_t size, std::vector<std::byte>& scratch) const;
  template <typename Each>
  void read(std::uint64_t offset, std::span<std::byte> destination, DirectBuffer& buffer, const Each& each) const;

  std::span<const std::byte> end() const noexcept {
    return std::span{end_}.first(static_cast<std::size_t>(std::min<std::uint64_t>(size_, kMostAtEnd)));
  }

  std::uint64_t size_ = 0;
  format::HeaderBytes header_{};
  // The end of the file, of which the footer needs less: page sums and the whole of a small index come with the same
  // call.
  static constexpr std::size_t kMostAtEnd = 8192;
  std::array<std::byte, kMostAtEnd> end_;
  std::shared_ptr<const os::File> file_;
  mutable std::once_flag direct_opened_;
  mutable std::unique_ptr<const os::DirectFile> direct_;  // once it was needed, where the system has it
  std::shared_ptr<const os::Mapping> mapping_;
  std::shared_ptr<const os::Mapping> private_mapping_;
};

}  // namespace ckpt::io
