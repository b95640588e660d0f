// Names from files, made safe to print, and their width on a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ckptdump {

/// A code point at the front of a text; `valid` is false for a byte that is not UTF-8.
struct CodePoint {
  char32_t value;
  std::size_t size;
  bool valid;
};

/// `text` must not be empty.
CodePoint decode(std::string_view text) noexcept;

bool is_utf8(std::string_view text) noexcept;

/// One line that shows what is there: control characters, ANSI sequences, bidirectional and invisible characters and
/// invalid UTF-8 become \xNN or \u{N}, as in the library's messages; so does a backslash, to keep them apart.
std::string escape(std::string_view text);

/// The same for a message whose names are escaped already: backslashes stay.
std::string escape_message(std::string_view text);

/// At most `most` bytes of an escaped text, and "..." when it has more. No character is cut in two.
std::string shorten(std::string text, std::size_t most);

/// Columns that an escaped text takes: 2 for wide East Asian characters, 0 for combining ones.
std::size_t display_width(std::string_view text) noexcept;

/// Lower-case hexadecimal digits of the bytes.
std::string hex_digits(std::string_view bytes);

}  // namespace ckptdump
