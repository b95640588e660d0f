#include "format/tensor_record.hpp"

#include "base/checked.hpp"
#include "format/little_endian.hpp"

#include <ckpt/limits.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

namespace ckpt::format {
namespace {

DataSize block_size(std::uint64_t elements, const BlockType* block) noexcept {
  if (block == nullptr || block->bytes == 0 || block->elements == 0) {
    return {.problem = "a tensor of dtype block needs a block type of at least one byte and one element"};
  }
  if (elements % block->elements != 0) {
    return {.problem = "the elements do not fill whole blocks", .advice = "pad the last dimension"};
  }
  const auto bytes = (base::Checked{elements / block->elements} * block->bytes).get();
  if (!bytes) return {.problem = "the size in bytes does not fit in 64 bits"};
  return {.bytes = bytes};
}

}  // namespace

std::optional<ErrorDetails> why_not_a_geometry(const Geometry& geometry) {
  const auto refuse = [](const char* problem, std::string expected, std::uint32_t found) {
    return ErrorDetails{.problem = problem, .expected = std::move(expected), .found = std::to_string(found)};
  };
  constexpr const char* kAlignments = "a power of two from 64 (kMinAlignment) to 2 MiB (kMaxAlignment)";
  constexpr const char* kChunks = "a power of two from 64 KiB (kMinChunkBytes) to 16 MiB (kMaxChunkBytes)";
  const auto is_allowed = [](std::uint32_t value, std::uint32_t least, std::uint32_t most) {
    return base::is_power_of_two(value) && value >= least && value <= most;
  };
  const auto [chunk, small, large] = geometry;
  if (!is_allowed(small, kMinAlignment, kMaxAlignment)) return refuse("bad small_alignment", kAlignments, small);
  if (!is_allowed(large, kMinAlignment, kMaxAlignment)) return refuse("bad large_alignment", kAlignments, large);
  if (small > large) {
    return refuse("small_alignment exceeds large_alignment", "at most " + std::to_string(large), small);
  }
  if (!is_allowed(chunk, kMinChunkBytes, kMaxChunkBytes)) return refuse("bad chunk_bytes", kChunks, chunk);
  return std::nullopt;
}

DataSize data_size(DType dtype, const Shape& shape, const BlockType* block) noexcept {
  const auto elements = static_cast<std::uint64_t>(shape.elements());
  if (dtype == DType::block) return block_size(elements, block);
  if (block != nullptr) return {.problem = "only a tensor of dtype block has a block type"};
  const std::size_t bits = bits_of(dtype);
  if (bits == 0) return {};
  if (bits >= 8) {
    const auto bytes = (base::Checked{elements} * (bits / 8)).get();
    if (!bytes) return {.problem = "the size in bytes does not fit in 64 bits"};
    return {.bytes = bytes};
  }
  // 8 elements of b bits are b bytes; fewer must still end on a byte.
  if (elements % 8 * bits % 8 != 0) {
    return {.problem = "packed elements must fill whole bytes",
            .advice = "pad the last dimension, or store the bytes as u8 or as a block type"};
  }
  return {.bytes = elements / 8 * bits + elements % 8 * bits / 8};
}

std::uint32_t alignment_of(const Geometry& geometry, Codec codec, std::uint64_t blob_size) noexcept {
  const bool large = codec == Codec::stored && blob_size >= geometry.large_alignment;
  return large ? geometry.large_alignment : geometry.small_alignment;
}

std::uint64_t identity(std::string_view path, DType dtype, const Shape& shape, std::uint64_t data_size, Hash hash) {
  constexpr std::size_t kMostFixed = 1 + 2 + 1 + kMaxRank * 8 + 8;
  std::array<std::byte, kMaxPathBytes + kMostFixed> buffer;  // filled as far as it is used
  const std::span<std::byte> bytes{buffer};
  // Longer paths are refused, but what was checked in a mapping may be changed there afterwards.
  std::size_t size = std::min(path.size(), kMaxPathBytes);
  std::memcpy(buffer.data(), path.data(), size);
  const auto put = [&](auto value) {
    store(bytes, size, value);
    size += sizeof value;
  };
  put(std::uint8_t{0});
  put(static_cast<std::uint16_t>(dtype));
  put(static_cast<std::uint8_t>(shape.rank()));
  for (const std::int64_t dim : shape) put(dim);
  put(data_size);
  return hash(bytes.first(size), 0);
}

}  // namespace ckpt::format
