// zstd frames.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace ckpt::codec {

/// Throws invalid_argument when zstd does not know the level.
void require_zstd_level(int level);

/// Makes frames. Keeps its working memory between calls; one thread at a time.
class ZstdCompressor {
 public:
  /// Throws as require_zstd_level.
  explicit ZstdCompressor(int level);
  /// One that does not search for repetitions.
  static ZstdCompressor entropy_only();
  ~ZstdCompressor();
  ZstdCompressor(const ZstdCompressor&) = delete;
  ZstdCompressor& operator=(const ZstdCompressor&) = delete;

  /// Writes one frame with its content size in it, and returns its size; 0 when `destination` is too small for it.
  /// Throws std::bad_alloc, and io for a failure inside zstd.
  std::size_t compress(std::span<const std::byte> data, std::span<std::byte> destination);

 private:
  struct State;
  explicit ZstdCompressor(std::unique_ptr<State> state) noexcept;

  std::unique_ptr<State> state_;
};

/// Why a frame was refused, or nullptr when `destination` holds its content. The frame must be exactly one zstd frame
/// of exactly `destination.size()` bytes of content, with that size declared, no dictionary, and a window of at most
/// `largest_window` bytes: so a hostile frame takes no more memory than an honest one.
const char* zstd_decompress(std::span<const std::byte> frame, std::span<std::byte> destination,
                            std::size_t largest_window);

/// The same of a frame whose content is not wanted: its header and the sizes of its blocks are looked at.
const char* zstd_frame_problem(std::span<const std::byte> frame, std::size_t content_size, std::size_t largest_window);

}  // namespace ckpt::codec
