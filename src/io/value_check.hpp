// What docs/format.md demands of the values of text, bytes and bools, checked on their way into a file.
#pragma once

#include <ckpt/dtype.hpp>
#include <ckpt/shape.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt::io {

/// Checks the data of one tensor in the pieces in which it comes; dtypes of which any bits are values cost nothing. Of
/// text it keeps the offsets: 8 bytes an element.
class ValueCheck {
 public:
  /// `path` must outlive it. Throws invalid_argument when `data_size` bytes have no room for the offsets.
  ValueCheck(std::string_view path, DType dtype, const Shape& shape, std::uint64_t data_size);

  /// The next bytes, `data_size` at most in all. Throws invalid_argument.
  void append(std::span<const std::byte> data);

 private:
  void take_bools(std::span<const std::byte> data);
  std::size_t take_offsets(std::span<const std::byte> data);
  void take_offset(std::uint64_t offset);
  void take_text(std::string_view text);
  void take_utf8(std::string_view part);
  void take_character(char byte);
  [[noreturn]] void refuse(std::string problem, std::string expected, std::string found) const;
  [[noreturn]] void refuse_text() const;

  std::string_view path_;
  DType dtype_;
  std::uint64_t received_ = 0;  // bools, or bytes of text behind the offsets

  std::uint64_t offset_count_ = 0;
  std::uint64_t offsets_seen_ = 0;
  std::uint64_t last_offset_ = 0;
  std::uint64_t text_size_ = 0;
  std::array<std::byte, sizeof(std::uint64_t)> word_{};  // an offset that comes in pieces
  std::size_t in_word_ = 0;

  std::vector<std::uint64_t> ends_;  // of elements of dtype string
  std::size_t element_ = 0;
  std::string character_;  // one that comes in pieces
};

}  // namespace ckpt::io
