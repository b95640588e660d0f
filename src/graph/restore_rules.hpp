// The options of a restore that speak of paths, ready for use.
#pragma once

#include "graph/path_pattern.hpp"

#include <ckpt/restore.hpp>

#include <optional>
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

  /// Where in the file an object of the program is looked for, when a rename says so: an empty path is nowhere.
  std::optional<std::string> renamed(std::string_view path) const;

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

}  // namespace ckpt::graph
