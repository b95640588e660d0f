// Directories of a manager as an attacker, or a tired person, leaves them.
#pragma once

#include <ckpt/error.hpp>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ckpt::test::hostile {

/// A directory with "ckpt-1.ckpt" to "ckpt-3.ckpt" and "ckpt.state", changed. Beside it lies the file "precious".
struct DirectoryCase {
  std::string name;
  int number = 0;  ///< in the list of docs/testing.md
  std::function<void(const std::filesystem::path& directory)> patch;
  std::string warning = {};               ///< a part of what the log says; empty: it says nothing
  std::optional<ErrorCode> refused = {};  ///< what the manager throws, instead of all that follows
  int restored = 3;                       ///< the checkpoint that is restored
};
using DirectoryCases = std::vector<DirectoryCase>;

/// The state file holds what no manager writes.
DirectoryCases state_cases();
/// Things in the place of files, and files in the place of others.
DirectoryCases directory_cases();

}  // namespace ckpt::test::hostile
