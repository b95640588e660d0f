// A tensor's chunks on their way out of a file: sums and decompression.
#pragma once

#include "codec/chunk.hpp"
#include "format/index_view.hpp"
#include "io/source.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ckpt::io {

/// Reads the chunks of one tensor. Immutable and thread-safe; for a compressed tensor it holds where each chunk begins.
class TensorReader {
 public:
  /// `record` is of index.tensor(). Throws corrupt when the frames of a compressed tensor do not fill its blob.
  TensorReader(const Source& source, const format::IndexView& index, const format::TensorRecord& record);

  /// Working memory, of one thread, that is kept between calls.
  struct Scratch {
    codec::ChunkDecoder decoder;
    std::vector<std::byte> stored;
    DirectBuffer direct;
  };

  /// Fills the part of `destination`, which has the size of the data, that one chunk holds; with `verify`, what it got
  /// is checked against the sum. Throws corrupt, io.
  void read_chunk(std::uint32_t chunk, std::span<std::byte> destination, bool verify, Scratch& scratch) const;

  /// Where the chunk lies in the file.
  struct Range {
    std::uint64_t offset;
    std::uint32_t size;
  };
  Range range(std::uint32_t chunk) const;

  /// Checks the sum of one chunk as it lies in the file, and, when it is compressed, its table of planes and the
  /// headers of their frames. `scratch` is reused between calls. Returns the bytes checked.
  std::uint64_t verify(std::uint32_t chunk, std::vector<std::byte>& scratch) const;

 private:
  struct Piece {
    std::uint64_t offset;   // in the file
    std::uint32_t stored;   // bytes in the file
    std::uint32_t content;  // bytes after decompression
  };
  Piece piece(std::uint32_t chunk) const;
  /// `actual` is the sum of the chunk as it is stored, with its seed. Throws corrupt.
  void check_sum(std::uint32_t chunk, const Piece& piece, std::uint64_t actual) const;
  std::uint64_t seed(std::uint32_t chunk) const noexcept { return identity_ + chunk; }
  void check_frame(std::uint32_t chunk, const Piece& piece, const char* problem) const;
  void place_frames();
  std::uint32_t content_of(std::uint32_t chunk) const noexcept;
  std::uint32_t frame_size(std::uint32_t chunk) const;
  std::uint32_t chunk_size() const noexcept { return index_.geometry().chunk_size; }
  [[noreturn]] void corrupt(std::string problem, std::uint64_t offset, std::string expected = {},
                            std::string found = {}) const;

  const Source& source_;
  const format::IndexView& index_;
  format::TensorRecord record_;
  std::uint64_t identity_;
  std::vector<std::uint64_t> frames_;  // offsets in the file, of a compressed tensor
};

}  // namespace ckpt::io
