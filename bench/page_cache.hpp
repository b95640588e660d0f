// Making sure of the page cache: that a file lies in it, or that there is warm memory for a new one.
#pragma once

#include <cstdint>
#include <filesystem>

namespace ckpt::bench {

/// Reads the file when it is not in the page cache. Throws when it is not there even then.
void require_warm(const std::filesystem::path& file);

/// Takes the file out of the page cache. Throws when much of it stays there.
void require_cold(const std::filesystem::path& file);

/// Memory for `mebibytes` of page cache that was touched before. A virtual machine gets memory that it never touched,
/// or gave back a while ago, from its host, which takes ten times as long as writing to it. So between rounds a file
/// holds the memory, and it is removed right before the next one.
class WarmCache {
 public:
  explicit WarmCache(std::int64_t mebibytes);

  /// Frees the memory for the file that is written next.
  void release();

  /// Holds it again, by keeping the file that was written.
  void hold(const std::filesystem::path& written);

 private:
  std::int64_t mebibytes_;
  std::filesystem::path holder_;
};

}  // namespace ckpt::bench
