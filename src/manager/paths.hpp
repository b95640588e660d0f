// Directories by path.
#pragma once

#include <filesystem>

namespace ckpt::manager {

/// Files are written by path and removed through the open directory: both have to mean the same one, also after a
/// chdir.
inline std::filesystem::path absolute_path(const std::filesystem::path& path) {
  std::error_code failed;
  std::filesystem::path result = std::filesystem::absolute(path, failed);
  return failed ? path : result;
}

inline bool same_directory(const std::filesystem::path& a, const std::filesystem::path& b) {
  const auto normal = [](const std::filesystem::path& path) { return (absolute_path(path) / "").lexically_normal(); };
  return normal(a) == normal(b);
}

}  // namespace ckpt::manager
