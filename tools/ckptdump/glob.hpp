// Patterns on object paths.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ckptdump {

/// Whether all of `path` matches: '*' is any run of characters ('/' included), '?' one character, [a-z] one of a set,
/// [!a-z] one that is not in it, '\' takes the next character as it is. A '[' that is never closed is itself. A pattern
/// without any of these also matches everything below the path that it is. Time is at most the product of the lengths.
bool glob_matches(std::string_view pattern, std::string_view path);

/// What --include and --exclude select.
class Filter {
 public:
  Filter() = default;
  Filter(std::vector<std::string> include, std::vector<std::string> exclude);

  bool selects(std::string_view path) const;
  bool selects_all() const noexcept { return include_.empty() && exclude_.empty(); }

 private:
  std::vector<std::string> include_;
  std::vector<std::string> exclude_;
};

}  // namespace ckptdump
