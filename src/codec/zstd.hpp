// zstd frames, one a chunk.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace ckpt::codec {

/// Throws invalid_argument when zstd does not know the level.
void require_zstd_level(int level);

/// Compresses chunks. Keeps its working memory between calls; one thread at a time.
class ZstdCompressor {
 public:
  /// Throws as require_zstd_level.
  explicit ZstdCompressor(int level);
  ~ZstdCompressor();

  /// One frame with its content size in it. The span is valid until the next call. Throws std::bad_alloc, and io for a
  /// failure inside zstd.
  std::span<const std::byte> compress(std::span<const std::byte> data);

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::vector<std::byte> frame_;
};

/// Why a frame was refused, or nullptr when `destination` holds its content. The frame must be exactly one zstd frame
/// of exactly `destination.size()` bytes of content, with that size declared, no dictionary, and a window of at most
/// `largest_window` bytes: so a hostile frame takes no more memory than an honest one.
const char* zstd_decompress(std::span<const std::byte> frame, std::span<std::byte> destination,
                            std::size_t largest_window);

/// The same of a frame whose content is not wanted: its header and the sizes of its blocks are looked at.
const char* zstd_frame_problem(std::span<const std::byte> frame, std::size_t content_size, std::size_t largest_window);

}  // namespace ckpt::codec
