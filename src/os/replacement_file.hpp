// A new file that appears under its name, whole, or not at all.
#pragma once

#include "os/block_writer.hpp"
#include "os/directory.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace ckpt::os {

/// Bytes are appended to a temporary file beside `path`; commit() renames it. After an error the temporary is gone and
/// the object is good for destruction only: a failed write or fsync is never tried again, because the kernel may have
/// dropped the pages and would report success. One owner, one thread at a time.
class ReplacementFile {
 public:
  struct Options {
    bool durable = true;
    std::uint64_t expected_bytes = 0;  ///< to allocate at once, so that a full disk is found early
    unsigned cores = 1;                ///< that copy, and do append_pieces()'s work, at a time
  };

  /// Throws not_found when the directory is missing, invalid_argument when `path` names no file or something that is
  /// neither a file nor a symbolic link, io.
  ReplacementFile(std::filesystem::path path, const Options& options);
  /// Without commit() the temporary file is removed, but not by a child that was forked meanwhile.
  ~ReplacementFile();
  ReplacementFile(const ReplacementFile&) = delete;
  ReplacementFile& operator=(const ReplacementFile&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }

  /// Whether this is a child of the process that made it: then nothing but destroying it is possible.
  bool is_inherited() const noexcept { return fork_depth() != forks_; }

  /// Bytes appended so far.
  std::uint64_t size() const noexcept { return size_; }

  /// Throws io.
  void append(std::span<const std::byte> data);

  /// The same; `work(i, piece)` is called for each piece of `data`, on several threads at once. All pieces but the last
  /// have `piece_size` bytes, a power of two.
  void append_pieces(std::span<const std::byte> data, std::size_t piece_size, const BlockWriter::Work& work);

  void append_zeros(std::uint64_t count);

  /// Bytes to put over the beginning of what was appended, at commit(). They must lie within it, and in its first
  /// block.
  void set_start(std::span<const std::byte> bytes);

  /// Makes the file appear: flush, fsync, rename, fsync of the directory (the syncs only when durable). A symbolic link
  /// of its name is replaced, and not followed. Throws io; invalid_argument as the constructor;
  /// already_exists when the name is taken and `replace` is false.
  void commit(bool replace);

 private:
  struct Empty {};
  ReplacementFile(std::filesystem::path path, const Options& options, Empty);

  void require_replaceable() const;
  void create_temporary();
  void append_staged(std::span<const std::byte> data);
  void lend(std::span<const std::byte> data, std::size_t piece_size, const BlockWriter::Work& work);
  void write_pieces(std::span<const std::byte> data, std::size_t piece_size, const BlockWriter::Work& work);
  void require_room(std::uint64_t end);
  void take_block();
  void submit_block();
  void write_block();
  void allocate(std::uint64_t end);
  std::uint64_t step_from(std::uint64_t offset) const noexcept;
  void finish_writing();
  [[noreturn]] void fail(int system_error, const char* problem);

  int process_ = process_id();
  unsigned forks_ = fork_depth();
  std::filesystem::path path_;
  std::string name_;
  Options options_;
  Directory directory_;
  std::string temporary_;  // empty when there is none to remove
  Descriptor file_;
  std::unique_ptr<BlockWriter> writer_;
  std::byte* block_ = nullptr;  // the one being filled
  std::size_t filled_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t limit_ = 0;      // beyond, the kernel would send a signal
  std::uint64_t allocated_ = 0;  // bytes that the file system has set aside
  std::vector<std::byte> start_;
};

/// Writes a small file by the same protocol, replacing what was there. Throws as ReplacementFile.
void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> data, bool durable);

}  // namespace ckpt::os
