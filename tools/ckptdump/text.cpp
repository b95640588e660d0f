#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace ckptdump {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

template <std::size_t N>
bool in_ranges(const std::array<Range, N>& ranges, char32_t c) noexcept {
  return std::ranges::any_of(ranges, [c](const Range& range) { return c >= range.first && c <= range.last; });
}

// What a terminal obeys instead of showing, and what hides or reorders other characters: as src/base/text.cpp has it.
constexpr std::array<Range, 11> kDeceptive{{
    {0x00, 0x1f},
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

constexpr std::array<Range, 5> kCombining{{
    {0x300, 0x36f},
    {0x483, 0x489},
    {0x1ab0, 0x1aff},
    {0x20d0, 0x20ff},
    {0xfe00, 0xfe0f},
}};

constexpr std::array<Range, 8> kWide{{
    {0x1100, 0x115f},
    {0x2e80, 0xa4cf},
    {0xac00, 0xd7a3},
    {0xf900, 0xfaff},
    {0xfe30, 0xfe6f},
    {0xff00, 0xff60},
    {0x1f300, 0x1faff},
    {0x20000, 0x3fffd},
}};

// Well-formed lead bytes and the smallest value that each length may hold.
CodePoint decode_multibyte(std::string_view text, unsigned char first) noexcept {
  const CodePoint invalid{first, 1, false};
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
    return invalid;
  }
  if (text.size() < size) return invalid;
  for (std::size_t i = 1; i < size; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0U) != 0x80U) return invalid;
    value = (value << 6U) | (next & 0x3fU);
  }
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < smallest || value > 0x10ffff || surrogate) return invalid;
  return {value, size, true};
}

bool is_plain(char c, bool keep_backslash) noexcept { return c >= 0x20 && c < 0x7f && (keep_backslash || c != '\\'); }

void append_escaped(std::string& out, std::string_view bytes, const CodePoint& point, bool keep_backslash) {
  const auto sink = std::back_inserter(out);
  const bool harmless = point.valid && !in_ranges(kDeceptive, point.value);
  if (harmless && (keep_backslash || point.value != U'\\')) {
    out += bytes;
  } else if (!point.valid || point.value < 0x80) {
    fmt::format_to(sink, "\\x{:02x}", static_cast<unsigned>(point.value));
  } else {
    fmt::format_to(sink, "\\u{{{:x}}}", static_cast<unsigned>(point.value));
  }
}

std::string escape(std::string_view text, bool keep_backslash) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    if (is_plain(text.front(), keep_backslash)) {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    const CodePoint point = decode(text);
    append_escaped(out, text.substr(0, point.size), point, keep_backslash);
    text.remove_prefix(point.size);
  }
  return out;
}

}  // namespace

CodePoint decode(std::string_view text) noexcept {
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) return {first, 1, true};
  return decode_multibyte(text, first);
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const CodePoint point = decode(text);
    if (!point.valid) return false;
    text.remove_prefix(point.size);
  }
  return true;
}

std::string escape(std::string_view text) { return escape(text, false); }

std::string escape_message(std::string_view text) { return escape(text, true); }

std::string shorten(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0U) == 0x80U) --most;
  text.resize(most);
  return text += "...";
}

std::size_t display_width(std::string_view text) noexcept {
  std::size_t width = 0;
  while (!text.empty()) {
    const CodePoint point = decode(text);
    text.remove_prefix(point.size);
    if (point.value < 0x300) {
      ++width;
    } else if (!in_ranges(kCombining, point.value)) {
      width += in_ranges(kWide, point.value) ? 2 : 1;
    }
  }
  return width;
}

std::string hex_digits(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(c));
  return out;
}

}  // namespace ckptdump
