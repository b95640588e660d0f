#include "glob.hpp"

#include "text.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

namespace ckptdump {
namespace {

CodePoint next_of(std::string_view text, std::size_t at) { return decode(text.substr(at)); }

struct SetMatch {
  bool matched;
  std::size_t end;  // after the ']'
};

// pattern[at] is '['. Nothing when the set is never closed.
std::optional<SetMatch> match_set(std::string_view pattern, std::size_t at, char32_t c) {
  std::size_t i = at + 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  bool matched = false;
  for (const std::size_t first = i; i < pattern.size();) {
    if (pattern[i] == ']' && i != first) return SetMatch{matched != negated, i + 1};
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    const CodePoint low = next_of(pattern, i);
    i += low.size;
    char32_t high = low.value;
    if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
      const CodePoint last = next_of(pattern, i + 1);
      high = last.value;
      i += 1 + last.size;
    }
    matched = matched || (c >= low.value && c <= high);
  }
  return std::nullopt;
}

// Matches one character of the pattern at `at` (no '*') against `c`; the position after it, or nothing.
std::optional<std::size_t> match_one(std::string_view pattern, std::size_t at, const CodePoint& c) {
  if (pattern[at] == '?') return at + 1;
  if (pattern[at] == '[') {
    if (const auto set = match_set(pattern, at, c.value)) {
      if (!set->matched) return std::nullopt;
      return set->end;
    }
  }
  if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
  const CodePoint wanted = next_of(pattern, at);
  if (wanted.value != c.value || wanted.valid != c.valid) return std::nullopt;
  return at + wanted.size;
}

bool is_literal(std::string_view pattern) { return pattern.find_first_of("*?[\\") == std::string_view::npos; }

bool is_below(std::string_view path, std::string_view ancestor) {
  return path.size() > ancestor.size() && path.starts_with(ancestor) && path[ancestor.size()] == '/';
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view path) {
  if (is_literal(pattern)) return path == pattern || is_below(path, pattern);
  std::size_t p = 0;
  std::size_t t = 0;
  // Where to resume when what follows the latest '*' does not fit: an earlier '*' need not be reconsidered.
  std::optional<std::pair<std::size_t, std::size_t>> star;
  while (t < path.size() || p < pattern.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star.emplace(++p, t);
      continue;
    }
    if (p < pattern.size() && t < path.size()) {
      const CodePoint c = next_of(path, t);
      if (const auto next = match_one(pattern, p, c)) {
        p = *next;
        t += c.size;
        continue;
      }
    }
    if (!star || star->second >= path.size()) return false;
    star->second += next_of(path, star->second).size;
    p = star->first;
    t = star->second;
  }
  return true;
}

Filter::Filter(std::vector<std::string> include, std::vector<std::string> exclude)
    : include_{std::move(include)}, exclude_{std::move(exclude)} {}

bool Filter::selects(std::string_view path) const {
  const auto matches = [path](const std::string& pattern) { return glob_matches(pattern, path); };
  return (include_.empty() || std::ranges::any_of(include_, matches)) && std::ranges::none_of(exclude_, matches);
}

}  // namespace ckptdump
