#include "base/path.hpp"

#include "base/text.hpp"

#include <ckpt/limits.hpp>

#include <algorithm>

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
