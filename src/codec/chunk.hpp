// A compressed chunk: its byte planes, each stored or as a zstd frame. docs/format.md is the specification.
//
//   1           width: planes, and bytes of an element
//   1           1 when elements are rotated, else 0
//   2           zero
//   width x 4   u32 stored size of each plane, lowest byte first: that of the plane when it is stored, else less
//   ...         the planes, without gaps
#pragma once

#include "codec/planes.hpp"
#include "codec/zstd.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ckpt::codec {

enum class PlaneCoding : std::uint8_t {
  stored,
  entropy,  ///< Huffman codes alone
  matches,  ///< zstd with a search for repetitions
};
using PlaneCodings = std::array<PlaneCoding, kMostPlanes>;

/// How a chunk is taken apart, and what becomes of its planes. What suits one chunk of a tensor suits the others.
struct ChunkCoding {
  PlaneLayout layout{};
  PlaneCodings planes{};
};

/// How much larger than its content a chunk can be, in bytes.
inline constexpr std::size_t kMostChunkOverhead = 4 + 4 * kMostPlanes;

/// Compresses chunks. Keeps its working memory, about two chunks, between calls; one thread at a time.
class ChunkEncoder {
 public:
  /// `level` is zstd's, for planes in which repetitions are searched for. Throws as require_zstd_level.
  explicit ChunkEncoder(int level) : entropy_{ZstdCompressor::entropy_only()}, matches_{level} {}

  struct Choice {
    ChunkCoding coding;
    std::size_t size = 0;  ///< of the sample as a chunk
  };
  /// Tries codings on a sample of a tensor, one or more whole elements: the slower ones have to gain more. `layout` is
  /// that of its dtype.
  Choice choose(std::span<const std::byte> sample, PlaneLayout layout);

  /// The span is valid until the next call. `chunk` is a whole number of elements, and not empty.
  std::span<const std::byte> encode(std::span<const std::byte> chunk, const ChunkCoding& coding);

 private:
  std::span<const std::byte> plane(std::size_t i, std::size_t size) const { return {planes_.data() + i * size, size}; }
  void split(std::span<const std::byte> data, PlaneLayout layout, std::size_t in_place);
  std::size_t compress(std::span<const std::byte> plane, PlaneCoding coding, std::span<std::byte> destination);

  ZstdCompressor entropy_;
  ZstdCompressor matches_;
  std::vector<std::byte> planes_;  // but those that are split to where they stay
  std::vector<std::byte> stored_;
};

/// The inverse. Keeps its working memory, a chunk, between calls; one thread at a time.
class ChunkDecoder {
 public:
  /// Why a chunk was refused, or nullptr when `destination` holds its content. Planes must fill `stored`, and each is
  /// held to what zstd_decompress says.
  const char* decode(std::span<const std::byte> stored, std::span<std::byte> destination, std::size_t largest_window);

 private:
  std::vector<std::byte> planes_;
};

/// The same of a chunk whose content is not wanted: header, table, and the frames as zstd_frame_problem looks at them.
const char* chunk_problem(std::span<const std::byte> stored, std::size_t content_size, std::size_t largest_window);

}  // namespace ckpt::codec
