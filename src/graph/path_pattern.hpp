// Patterns on object paths, for the options of a restore.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt::graph {

/// The names of a path. Many patterns are compared with one path, so it is split once.
using PathNames = std::span<const std::string_view>;
std::vector<std::string_view> split_path(std::string_view path);

/// Names joined by '/'. In a name, one '*' stands for any run of characters. What a pattern says of an object it says
/// of everything below, too; a last "/**" may be written to show that, and "**" alone is everything.
class PathPattern {
 public:
  /// Throws invalid_argument for what is no pattern.
  explicit PathPattern(std::string_view text);

  std::size_t stars() const noexcept { return stars_; }
  bool is_everything() const noexcept { return names_.empty(); }

  /// Whether the pattern names `path` or something above it.
  bool covers(PathNames path) const;

  /// Whether the pattern names something below `path`, which has fewer names than the pattern.
  bool leads_below(PathNames path) const;

  /// What the stars stand for when the pattern names exactly `path`.
  std::optional<std::vector<std::string_view>> match(PathNames path) const;

  /// The path that the pattern names when its stars stand for `parts`, stars() of them.
  std::string expand(const std::vector<std::string_view>& parts) const;

 private:
  bool agrees(PathNames path) const;

  std::vector<std::string> names_;
  std::size_t stars_ = 0;
};

}  // namespace ckpt::graph
