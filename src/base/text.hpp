// Text for messages: escaping of names that came from a file, and numbers in hexadecimal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace ckpt::base {

/// `text` with control characters, bidirectional and invisible ones, backslashes and invalid UTF-8 as \xNN or \u{N},
/// and cut after some 200 bytes, so that it can be printed to a terminal or a log.
std::string escape(std::string_view text, std::size_t most = 200);

/// The same of the path of a file, whole: what it ends with says which file it is.
std::string escape_path(const std::filesystem::path& path);

/// Whether `text` is well-formed UTF-8 (no overlong forms, no surrogates).
bool is_utf8(std::string_view text) noexcept;

/// Bytes of a character in UTF-8.
inline constexpr std::size_t kMostCharacterBytes = 4;

/// How much of `text`, which was cut out of longer UTF-8, there is without a character at its end that the cut divided.
std::size_t size_of_whole_characters(std::string_view text) noexcept;

/// "0x1f40".
std::string hex(std::uint64_t value);

/// 16 digits without a prefix, as checksums are printed.
std::string hex16(std::uint64_t value);

/// As few digits as read back as the same number: "0.25", "1e+300", "nan".
std::string shortest(double value);

}  // namespace ckpt::base
