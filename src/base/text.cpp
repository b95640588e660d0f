#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <optional>

namespace ckpt::base {
namespace {

struct CodePoint {
  char32_t value;
  std::size_t size;
};

// The code point at the front of `text`, or nothing when it is not well-formed there.
std::optional<CodePoint> decode(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return CodePoint{first, 1};
  std::size_t size = 0;
  char32_t value = 0;
  char32_t smallest = 0;
  if ((first & 0xe0U) == 0xc0U) {
    size = 2, value = first & 0x1fU, smallest = 0x80;
  } else if ((first & 0xf0U) == 0xe0U) {
    size = 3, value = first & 0x0fU, smallest = 0x800;
  } else if ((first & 0xf8U) == 0xf0U) {
    size = 4, value = first & 0x07U, smallest = 0x10000;
  } else {
    return std::nullopt;
  }
  if (text.size() < size) return std::nullopt;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return std::nullopt;
    value = (value << 6U) | (byte(i) & 0x3fU);
  }
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < smallest || value > 0x10ffff || surrogate) return std::nullopt;
  return CodePoint{value, size};
}

struct Range {
  char32_t first;
  char32_t last;
};

// Characters that would change how a terminal or a log shows what follows, and the backslash. ckptdump, which sees
// nothing of this, has the same (tools/ckptdump/text.cpp); a test compares them.
constexpr std::array<Range, 12> kDeceptive{{
    {0x00, 0x1f},
    {U'\\', U'\\'},
    {0x7f, 0x9f},
    {0xad, 0xad},
    {0x61c, 0x61c},
    {0x180e, 0x180e},
    {0x200b, 0x200f},
    {0x2028, 0x202e},
    {0x2060, 0x206f},
    {0xfeff, 0xfeff},
    {0xfff9, 0xfffb},
    {0xe0000, 0xe007f},
}};

bool is_deceptive(char32_t c) noexcept {
  return std::ranges::any_of(kDeceptive, [c](const Range& range) { return c >= range.first && c <= range.last; });
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto point = decode(text);
    if (!point) return false;
    text.remove_prefix(point->size);
  }
  return true;
}

std::size_t size_of_whole_characters(std::string_view text) noexcept {
  for (std::size_t back = 1; back < kMostCharacterBytes && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xc0U) == 0x80U) continue;
    const std::size_t size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return size > back ? text.size() - back : text.size();
  }
  return text.size();
}

std::string escape_path(const std::filesystem::path& path) { return escape(path.native(), path.native().size() * 8); }

std::string escape(std::string_view text, std::size_t most) {
  std::string out;
  std::array<char, 16> buffer{};
  const std::size_t whole = text.size();
  while (!text.empty()) {
    if (out.size() >= most) return out + "... (" + std::to_string(whole) + " bytes)";
    const auto point = decode(text);
    const std::size_t size = point ? point->size : 1;
    if (point && !is_deceptive(point->value)) {
      out += text.substr(0, size);
    } else {
      const bool narrow = !point || point->value < 0x80;
      const unsigned value = point ? static_cast<unsigned>(point->value) : static_cast<unsigned char>(text[0]);
      const int length = std::snprintf(buffer.data(), buffer.size(), narrow ? "\\x%02x" : "\\u{%x}", value);
      out.append(buffer.data(), static_cast<std::size_t>(length));
    }
    text.remove_prefix(size);
  }
  return out;
}

std::string hex(std::uint64_t value) {
  std::array<char, 24> buffer{};
  const int length = std::snprintf(buffer.data(), buffer.size(), "0x%llx", static_cast<unsigned long long>(value));
  return {buffer.data(), static_cast<std::size_t>(length)};
}

std::string hex16(std::uint64_t value) {
  std::array<char, 24> buffer{};
  const int length = std::snprintf(buffer.data(), buffer.size(), "%016llx", static_cast<unsigned long long>(value));
  return {buffer.data(), static_cast<std::size_t>(length)};
}

std::string shortest(double value) {
  std::array<char, 64> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), result.ptr};
}

}  // namespace ckpt::base
