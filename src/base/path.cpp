#include "base/path.hpp"

#include "base/text.hpp"

#include <ckpt/limits.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>

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

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kHighs = kOnes << 7U;

// The high bit of each byte of `word` that is not zero, when none is above 0x7f.
constexpr std::uint64_t nonzero(std::uint64_t word) noexcept { return (word + (kHighs - kOnes)) & kHighs; }

// Whether eight characters are printable ASCII, and no '/' is followed by '/' or '.'. `before` is what the character
// before them was, and becomes what the last of them is: the high bit is set for a '/'.
bool are_plain(std::uint64_t word, std::uint64_t& before) noexcept {
  if ((word & kHighs) != 0) return false;
  const std::uint64_t printable = (word + kOnes * (0x80 - 0x20)) & nonzero(word ^ kOnes * 0x7f);
  const std::uint64_t slash = ~nonzero(word ^ kOnes * '/') & kHighs;
  const std::uint64_t slash_or_dot = ~nonzero((word | kOnes) ^ kOnes * '/') & kHighs;
  static_assert(('.' | 1) == '/');
  const std::uint64_t after_slash =
      slash << 8U | before >> 56U;  // little-endian: the first character is the lowest byte
  before = slash;
  return (printable & kHighs) == kHighs && (after_slash & slash_or_dot) == 0;
}

// Almost all paths, eight characters at a time: ASCII, no name begins with a dot. What is not plain may be a path, too.
bool is_plain_path(std::string_view path) noexcept {
  if (path.empty() || path.size() > kMaxPathBytes || path.back() == '/') return false;
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  std::uint64_t before = kHighs;  // a path begins like a name behind a '/'
  std::size_t done = 0;
  for (; path.size() - done >= kWord; done += kWord) {
    std::uint64_t word = 0;
    std::memcpy(&word, &path[done], kWord);
    if (!are_plain(word, before)) return false;
  }
  std::uint64_t last = kOnes * 'a';
  std::memcpy(&last, path.data() + done, path.size() - done);
  return are_plain(last, before);
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
