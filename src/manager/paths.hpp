// Directories by path.
#pragma once

#include "os/directory.hpp"

#include <filesystem>

namespace ckpt::manager {

inline bool same_directory(const std::filesystem::path& a, const std::filesystem::path& b) {
  const auto normal = [](const std::filesystem::path& path) {
    return (os::absolute_path(path) / "").lexically_normal();
  };
  return normal(a) == normal(b);
}

}  // namespace ckpt::manager
