// Memory mappings of whole files.
#pragma once

#include "os/file.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ckpt::os {

/// A mapping of a whole file, which stays valid when the file is closed, renamed over or unlinked. It does not survive
/// the file being truncated: touching what is gone is SIGBUS.
class Mapping {
 public:
  enum class Kind : std::uint8_t {
    shared_read_only,
    private_writable,  ///< copy-on-write: changes are this process's own
    untouchable,       ///< only to ask whether a page is in memory
  };

  /// `file` must not be empty. Throws io.
  Mapping(const File& file, Kind kind);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  /// Whether the page at `offset`, which lies within the mapping, is in the page cache. True when the system does not
  /// tell: it does only to those who may write the file.
  bool is_cached(std::size_t offset) const noexcept;

  /// Has the range, which lies within the mapping, in memory when it returns; where it is large, in huge pages, if the
  /// file system has them. 0, or the errno: EFAULT when a part of it
  /// cannot be read, where touching it would be SIGBUS; EINVAL when the kernel is older than 5.14, and has only been
  /// asked to read it soon.
  int populate(std::size_t offset, std::size_t size) const noexcept;

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  std::byte* data() const noexcept { return data_; }

 private:
  void want_huge_pages(std::size_t offset, std::size_t size) const noexcept;

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  mutable std::atomic<bool> slow_ = false;  // huge pages, or the device
};

}  // namespace ckpt::os
