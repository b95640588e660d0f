// What the machine does on the same bytes without a format: what no checkpoint can pass. Errors are exceptions of the
// standard library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

namespace ckpt::bench {

/// One thread for each core.
unsigned all_cores();

/// open, fstat, mmap, read one byte, munmap, close.
void open_once(const std::filesystem::path& file);

/// A new file that is removed at the end, unless somebody took it away or keep() was called.
class NewFile {
 public:
  /// `flags` beside those that make a new file, such as O_DIRECT.
  explicit NewFile(std::filesystem::path path, int flags = 0);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  void keep() noexcept { kept_ = true; }

  /// Space allocated first, past the page cache, two requests in flight, fdatasync: the fastest of the plain ways that
  /// were tried. For a file with O_DIRECT; `data` is aligned for it.
  void write_direct(std::span<const std::byte> data) const;
  /// Through the page cache, but each piece sets out for the disk at once; fdatasync.
  void write_early(std::span<const std::byte> data) const;
  /// write(2) into the page cache.
  void write_cached(std::span<const std::byte> data) const;

 private:
  int write_piece(std::span<const std::byte> data, std::size_t offset) const;  // 0 or an errno value
  void sync() const;

  std::filesystem::path path_;
  int fd_;
  bool kept_ = false;
};

/// Whether files of that folder can be written and read past the page cache.
bool allows_direct_io(const std::filesystem::path& folder);

/// Fills `memory`, which is aligned for it, with the beginning of the file, past the page cache, as write_direct().
void read_direct(const std::filesystem::path& file, std::span<std::byte> memory);

/// Calls `work` with each part, cut into pieces of at most 1 MiB, on so many threads.
void on_pieces(std::span<const std::span<const std::byte>> parts, unsigned threads,
               const std::function<void(std::span<const std::byte>)>& work);

/// The sum of all parts, each as sum() takes it.
std::uint64_t sum_all(std::span<const std::span<const std::byte>> parts, unsigned threads);

/// XXH3-64 of pieces of 1 MiB, as the format has them.
void hash_all(std::span<const std::byte> memory, unsigned threads);

/// memcpy, one piece for each thread: the larger a piece, the faster is memcpy. `to` is as large as `from`.
void copy_all(std::span<const std::byte> from, std::span<std::byte> to, unsigned threads);

}  // namespace ckpt::bench
