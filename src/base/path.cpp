#include "base/path.hpp"

#include "base/text.hpp"

#include <ckpt/limits.hpp>

#include <algorithm>
#include <cstddef>

namespace ckpt::base {
namespace {

// U+0000 to U+001F and U+007F to U+009F; the latter are C2 80 to C2 9F in UTF-8.
bool has_control(std::string_view text) noexcept {
  unsigned char before = 0;
  return std::ranges::any_of(text, [&before](char character) {
    const auto c = static_cast<unsigned char>(character);
    const bool second = before == 0xc2 && c >= 0x80 && c <= 0x9f;
    before = c;
    return c < 0x20 || c == 0x7f || second;
  });
}

// 1 when `c` behind `before` does not belong to a plain path, else 0.
constexpr unsigned char is_odd(unsigned char before, unsigned char c) noexcept {
  static_assert(('.' | 1U) == '/');
  const bool is_unprintable = c < 0x20 || c >= 0x7f;
  const bool is_slash_or_dot = (c | 1U) == '/';
  return static_cast<unsigned char>(is_unprintable | ((before == '/') & is_slash_or_dot));
}

// Almost all paths: printable ASCII, and no name begins with a dot. What is not plain may be a path, too. The loop has
// no branch, so that the compiler takes many characters at a time.
bool is_plain_path(std::string_view path) noexcept {
  if (path.empty() || path.size() > kMaxPathBytes || path.back() == '/') return false;
  unsigned char odd = is_odd('/', static_cast<unsigned char>(path.front()));
  for (std::size_t i = 1; i < path.size(); ++i) {
    odd |= is_odd(static_cast<unsigned char>(path[i - 1]), static_cast<unsigned char>(path[i]));
  }
  return odd == 0;
}

}  // namespace

const char* why_not_a_key(std::string_view key) noexcept {
  if (key.empty()) return "it is empty";
  if (key.size() > kMaxPathBytes) return "it is longer than 4096 bytes (kMaxPathBytes)";
  if (has_control(key)) return "it has control characters";
  if (!is_utf8(key)) return "it is not UTF-8";
  return nullptr;
}

const char* why_not_a_name(std::string_view name) noexcept {
  if (const char* reason = why_not_a_key(name)) return reason;
  if (name == "." || name == "..") return "'.' and '..' are no names";
  if (name.find('/') != std::string_view::npos) return "it has a '/'";
  return nullptr;
}

const char* why_not_a_path(std::string_view path) noexcept {
  if (is_plain_path(path)) return nullptr;
  if (const char* reason = why_not_a_key(path)) return reason;
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    if (name.empty()) return "a name in it is empty";
    if (name == "." || name == "..") return "'.' and '..' are no names";
    if (slash == std::string_view::npos) return nullptr;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace ckpt::base
