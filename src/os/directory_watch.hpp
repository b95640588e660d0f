// Being told when names appear in a directory.
#pragma once

#include "os/file.hpp"

#include <chrono>
#include <filesystem>

namespace ckpt::os {

/// Watches from its construction on. One owner, one thread at a time.
class DirectoryWatch {
 public:
  /// Where the directory is missing or the system cannot watch, is_live() is false and wait() sleeps.
  explicit DirectoryWatch(const std::filesystem::path& path) noexcept;

  bool is_live() const noexcept { return events_.is_open(); }

  /// Returns when a name was created in the directory or renamed into it since the last call, or after `most`, or
  /// sooner. When the directory itself is renamed or removed, is_live() is false afterwards.
  void wait(std::chrono::milliseconds most) noexcept;

 private:
  void read_events() noexcept;

  Descriptor events_;
};

}  // namespace ckpt::os
