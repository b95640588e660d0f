// A tensor's chunks on their way out of a file: sums and decompression.
#pragma once

#include "format/index_view.hpp"
#include "io/source.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ckpt::io {

/// Reads the chunks of one tensor. Cheap to make; one thread at a time.
class TensorReader {
 public:
  /// `record` is of index.tensor(). Throws corrupt when the frames of a compressed tensor do not fill its blob.
  TensorReader(const Source& source, const format::IndexView& index, const format::TensorRecord& record);

  /// Fills `destination`, of the size of the data; with `verify`, what it got is checked against the sums. Throws
  /// corrupt, io.
  void read_into(std::span<std::byte> destination, bool verify);

  /// Checks the sums, and the frames' headers, of chunks [first, last) as they lie in the file. `scratch` is reused
  /// between calls. Returns the bytes checked.
  std::uint64_t verify(std::uint32_t first, std::uint32_t last, std::vector<std::byte>& scratch);

 private:
  struct Piece {
    std::uint64_t offset;   // in the file
    std::uint32_t stored;   // bytes in the file
    std::uint32_t content;  // bytes after decompression
  };
  Piece piece(std::uint32_t chunk);
  void check_sum(std::uint32_t chunk, const Piece& piece, std::span<const std::byte> stored) const;
  void check_frame(std::uint32_t chunk, const Piece& piece, const char* problem) const;
  void check_frames() const;
  [[noreturn]] void corrupt(std::string problem, std::uint64_t offset) const;

  const Source& source_;
  const format::IndexView& index_;
  format::TensorRecord record_;
  std::uint64_t identity_;
  // For compressed tensors: where the frame of chunk next_chunk_ begins.
  std::uint32_t next_chunk_ = 0;
  std::uint64_t next_offset_;
};

}  // namespace ckpt::io
