// Reads of a file past the page cache.
#pragma once

#include "os/file.hpp"
#include "os/mapping.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace ckpt::os {

/// Another way into a file that is open: from the device, for what the page cache does not have. It keeps a descriptor
/// of its own. Immutable and thread-safe.
class DirectFile {
 public:
  /// What offsets, sizes and memory of direct reads are multiples of: enough for all but devices of larger blocks.
  static constexpr std::size_t kAlignment = 4096;
  /// Requests that keep a device busy when a dozen threads make them, and that the processor's cache can hold.
  static constexpr std::uint64_t kMostBytes = std::uint64_t{512} << 10U;
  /// Room for that many bytes from any offset.
  static constexpr std::size_t kBufferBytes = kMostBytes + kAlignment;

  /// Null where the file system has no such reads, or the process a limit on its address space.
  static std::unique_ptr<const DirectFile> open(const File& file);

  /// Reads up to `size` bytes, and no more than kMostBytes, from `offset`, which lies within the file, into `buffer`,
  /// of kBufferBytes on kAlignment, and returns those that it got, there. None when the first page is in the page
  /// cache, or when something fails: File::read_at gets these, or tells what is wrong. A device that refuses such reads
  /// is not asked again.
  std::span<const std::byte> read_at(std::uint64_t offset, std::uint64_t size, std::byte* buffer) const noexcept;

 private:
  DirectFile(Descriptor descriptor, const File& file)
      : descriptor_{std::move(descriptor)}, pages_{file, Mapping::Kind::untouchable} {}

  Descriptor descriptor_;
  Mapping pages_;  // to ask what the page cache has
  mutable std::atomic<bool> refused_ = false;
};

}  // namespace ckpt::os
