// File descriptors that close themselves, and reading from them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

namespace ckpt::os {

/// Linux moves at most this much in one call.
inline constexpr std::size_t kMostPerCall = 0x7ffff000;

/// Owns a file descriptor. Move-only.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) noexcept : fd_{fd} {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : fd_{other.release()} {}
  Descriptor& operator=(Descriptor&& other) noexcept;

  int get() const noexcept { return fd_; }
  bool is_open() const noexcept { return fd_ >= 0; }
  int release() noexcept;
  void reset() noexcept;

 private:
  int fd_ = -1;
};

/// Takes what open() gave, under a number above those of the standard streams: where a process has closed one of these,
/// whatever is printed would go into the file. Not open, and errno set, when `fd` is -1 or there is no other number.
Descriptor apart_from_streams(int fd) noexcept;

/// Which file a path leads to: another one after it was replaced. As long as somebody has it open or mapped, no other
/// is the same.
struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  friend bool operator==(const FileId&, const FileId&) = default;
};

/// A regular file, open for reading. Immutable, so any number of threads may read from it.
class File {
 public:
  /// Throws not_found, io, or invalid_argument when `path` is no regular file (a directory, a pipe).
  static File open(const std::filesystem::path& path);

  const std::filesystem::path& path() const noexcept { return path_; }
  int fd() const noexcept { return descriptor_.get(); }
  /// When it was opened.
  std::uint64_t size() const noexcept { return size_; }
  /// Throws io.
  std::uint64_t size_now() const;

  /// Fills `destination` from `offset`. Throws io, or corrupt when the file has become shorter.
  void read_at(std::uint64_t offset, std::span<std::byte> destination) const;

  /// Whether it lies on a network or FUSE file system, where a fault on a mapping may kill the process.
  bool is_remote() const noexcept;

 private:
  File(Descriptor descriptor, std::filesystem::path path, std::uint64_t size)
      : descriptor_{std::move(descriptor)}, path_{std::move(path)}, size_{size} {}

  Descriptor descriptor_;
  std::filesystem::path path_;
  std::uint64_t size_;
};

/// The content of a small text file; nothing when it does not exist. Throws io, limit when it is longer than
/// `max_bytes`.
std::optional<std::string> read_small_file(const std::filesystem::path& path, std::size_t max_bytes);

/// Fills `destination` from the system's random generator. Throws io.
void fill_random(std::span<std::byte> destination);

}  // namespace ckpt::os
