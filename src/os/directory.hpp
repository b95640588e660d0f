// Directories: the names in them, made durable, and the lock that keeps a directory to one writer.
#pragma once

#include "os/file.hpp"
#include "os/process.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt::os {

/// An open directory. Names are single components; the directory may be renamed while it is open.
class Directory {
 public:
  /// Throws not_found, io.
  static Directory open(const std::filesystem::path& path);

  /// Creates `path` and its missing parents, and opens it. All of them, and those above on the same file system, are
  /// made durable in their parents: who made them before may have been killed in between. For a directory that is
  /// there, this is done once in a process. Throws io.
  static Directory create_all(const std::filesystem::path& path);

  const std::filesystem::path& path() const noexcept { return path_; }
  int fd() const noexcept { return descriptor_.get(); }

  /// Throws not_found when the path leads to another directory by now, or to none: this one was renamed or removed.
  void require_at_path() const;

  /// Whether the path leads here, by whatever links.
  bool is_at(const std::filesystem::path& path) const noexcept;

  /// Makes names that were created, renamed or removed survive a power cut. Throws io.
  void sync() const;

  /// All names but "." and "..", unsorted. Throws io.
  std::vector<std::string> list() const;

  struct Status {
    bool is_directory = false;
    std::uint64_t bytes = 0;  ///< of a regular file
  };
  /// Of the name itself where it is a link; nothing when there is no such name. Throws io when that cannot be told: a
  /// file must not count as gone because the disk failed.
  std::optional<Status> status(const std::string& name) const;
  bool exists(const std::string& name) const { return status(name).has_value(); }

  /// Nothing when there is no such name, or that cannot be told. Of a symbolic link itself, not of what it leads to.
  std::optional<FileId> id_of(const std::string& name) const noexcept;

  /// False when there was no such file. Throws io.
  bool remove(const std::string& name) const;

  /// Replaces `to` when it exists. `shown` is the path of `to` for messages, as the caller wrote it. Throws io,
  /// not_found.
  void rename(const std::string& from, const std::string& to, const std::filesystem::path& shown) const;

  /// The same, but throws already_exists, and leaves both alone, when `to` exists.
  void rename_to_new(const std::string& from, const std::string& to, const std::filesystem::path& shown) const;

 private:
  Directory(Descriptor descriptor, std::filesystem::path path)
      : descriptor_{std::move(descriptor)}, path_{std::move(path)} {}

  FileId id() const;
  /// The lowest `made` ones were made just now.
  void make_entries_durable(std::size_t made) const;

  Descriptor descriptor_;
  std::filesystem::path path_;
};

/// An exclusive advisory lock, held until destruction or the death of the process (and of children forked meanwhile).
class DirectoryLock {
 public:
  /// Locks the file `name` in `directory`, which is created and stays. Throws busy when another owner, in this process
  /// or another, holds it. A file system without locks is let pass, with a line to the log.
  DirectoryLock(const Directory& directory, const std::string& name);

  /// Whether this is a child of the process that took the lock: both hold it then.
  bool is_inherited() const noexcept { return process_id() != process_; }

  /// Lets go of this process's share.
  void release() noexcept { descriptor_.reset(); }

 private:
  int process_ = process_id();
  Descriptor descriptor_;
};

enum class LockResult : std::uint8_t {
  held,
  taken,     ///< another open file description holds it
  no_locks,  ///< the file system has none
};

/// Tries to lock the open file exclusively.
LockResult try_lock(int fd) noexcept;

enum class LockHolder : std::uint8_t {
  nobody,
  somebody,
  unknown,  ///< the file is not there or may not be opened, or the file system has no locks
};

/// Who holds the lock of the file `name` now. Takes no lock and changes nothing.
LockHolder lock_holder(const Directory& directory, const std::string& name) noexcept;

/// The directory part of a path: "." when it has none.
std::filesystem::path parent_of(const std::filesystem::path& path);

/// The path from the root, which means the same after a chdir; the path itself when the working directory is gone.
std::filesystem::path absolute_path(const std::filesystem::path& path);

/// The name of a new temporary file for `name`: hidden, recognisable, unpredictable.
std::string temporary_name(std::string_view name);

/// Whether temporary_name() gives such names.
bool is_temporary_name(std::string_view name) noexcept;

/// Removes a temporary file unless its writer lives. False when it stays, or is gone already. Throws io.
bool remove_stale_temporary(const Directory& directory, const std::string& name);

/// Removes what writers that died left in `directory`: files named as temporary_name() does of which no living process
/// holds the lock. What cannot be removed is a line to the log. Returns the names removed. Throws io when the directory
/// cannot be listed.
std::vector<std::string> remove_stale_temporaries(const Directory& directory);

}  // namespace ckpt::os
