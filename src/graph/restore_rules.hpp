// The options of a restore that speak of paths, ready for use.
#pragma once

#include "graph/path_pattern.hpp"

#include <ckpt/restore.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ckpt::graph {

/// Immutable. Paths in the program count from the checkpoint's root, paths in the file from RestoreOptions::root.
class RestoreRules {
 public:
  /// Throws invalid_argument for patterns that are none, or that do not fit each other.
  explicit RestoreRules(const RestoreOptions& options);

  bool has_renames() const noexcept { return !renames_.empty(); }
  /// Whether anything asks for the path of an object in the program.
  bool need_paths() const noexcept { return has_renames() || !mismatches_.empty(); }

  /// What a rename says of an object of the program.
  struct Renamed {
    std::size_t rename;  // of RestoreOptions::renames, the first that names the object
    std::string path;    // where in the file it is looked for: nowhere when empty
  };
  std::optional<Renamed> renamed(std::string_view path) const;

  /// Whether a rename speaks of something below an object.
  bool renames_below(std::string_view path) const;

  OnMismatch on_mismatch(std::string_view path) const;

 private:
  struct Renaming {
    PathPattern program;
    std::optional<PathPattern> file;  // nothing: from nowhere
  };
  std::vector<Renaming> renames_;
  std::vector<std::pair<PathPattern, OnMismatch>> mismatches_;
};

/// "renames without effect: a from b, c from d".
std::string describe_idle(std::span<const Rename> renames);

}  // namespace ckpt::graph
