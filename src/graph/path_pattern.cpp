#include "graph/path_pattern.hpp"

#include "base/path.hpp"

#include <ckpt/error.hpp>

#include <algorithm>

namespace ckpt::graph {
namespace {

// What the star of `pattern` stands for in `name`; empty for a pattern without one.
std::optional<std::string_view> match_name(std::string_view pattern, std::string_view name) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name ? std::optional{std::string_view{}} : std::nullopt;
  const std::string_view before = pattern.substr(0, star);
  const std::string_view after = pattern.substr(star + 1);
  if (name.size() < before.size() + after.size() || !name.starts_with(before) || !name.ends_with(after)) {
    return std::nullopt;
  }
  return name.substr(before.size(), name.size() - before.size() - after.size());
}

[[noreturn]] void bad_pattern(std::string_view text, const char* problem) {
  throw Error{ErrorCode::invalid_argument,
              {.problem = std::string{"this is no pattern for object paths: "} + problem,
               .object = std::string{text},
               .advice = "write names joined by '/', with at most one '*' in a name and \"/**\" at the end"}};
}

}  // namespace

std::vector<std::string_view> split_path(std::string_view path) {
  std::vector<std::string_view> names;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    names.push_back(path.substr(0, slash));
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return names;
}

PathPattern::PathPattern(std::string_view text) {
  std::string_view rest = text;
  if (rest == "**") {
    rest = {};
  } else if (rest.ends_with("/**")) {
    rest.remove_suffix(3);
  }
  if (rest.empty() && text != "**") bad_pattern(text, "it is empty");
  if (!rest.empty()) {
    if (const char* problem = base::why_not_a_path(rest)) bad_pattern(text, problem);
  }
  for (const std::string_view name : split_path(rest)) {
    const auto stars = std::ranges::count(name, '*');
    if (stars > 1) bad_pattern(text, "a name has more than one '*'");
    stars_ += static_cast<std::size_t>(stars);
    names_.emplace_back(name);
  }
}

// As far as both go.
bool PathPattern::agrees(PathNames path) const {
  for (std::size_t i = 0; i < std::min(path.size(), names_.size()); ++i) {
    if (!match_name(names_[i], path[i])) return false;
  }
  return true;
}

bool PathPattern::covers(PathNames path) const { return path.size() >= names_.size() && agrees(path); }

bool PathPattern::leads_below(PathNames path) const { return path.size() < names_.size() && agrees(path); }

std::optional<std::vector<std::string_view>> PathPattern::match(PathNames path) const {
  if (path.size() != names_.size() || !agrees(path)) return std::nullopt;
  std::vector<std::string_view> parts;
  parts.reserve(stars_);
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (names_[i].find('*') != std::string::npos) parts.push_back(*match_name(names_[i], path[i]));
  }
  return parts;
}

std::string PathPattern::expand(const std::vector<std::string_view>& parts) const {
  std::string path;
  std::size_t next = 0;
  for (const std::string& name : names_) {
    if (!path.empty()) path += '/';
    const std::size_t star = name.find('*');
    path += name.substr(0, star);
    if (star == std::string::npos) continue;
    path += parts[next++];
    path += name.substr(star + 1);
  }
  return path;
}

}  // namespace ckpt::graph
