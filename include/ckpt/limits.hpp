// Every limit of the library, with its reason. An error of code `limit` names one of these.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ckpt {

/// Dimensions of a tensor: more than any framework uses in practice, and a Shape stays a small value without
/// allocation.
inline constexpr std::size_t kMaxRank = 8;

/// Bytes of an object path or metadata key: longer ones are damage or an attack, and messages must stay readable.
inline constexpr std::size_t kMaxPathBytes = 4096;

/// Bytes of the index: FlatBuffers addresses with signed 32-bit offsets. About ten million tensors fit.
inline constexpr std::uint64_t kMaxIndexBytes = 0x7fff0000;

/// Bytes of all metadata keys and values of a file together: metadata describes a checkpoint, it does not hold state.
inline constexpr std::uint64_t kMaxMetadataBytes = 64U << 20U;

/// Bytes of a chunk, the unit of checksums and compression. The bounds keep the sums small and a decoder's memory
/// bounded.
inline constexpr std::uint32_t kMinChunkBytes = 64U << 10U;
inline constexpr std::uint32_t kDefaultChunkBytes = 1U << 20U;
inline constexpr std::uint32_t kMaxChunkBytes = 16U << 20U;

/// Alignment of blobs, in bytes. What starts on less than 64 would not suit vector units; 2 MiB is a huge page.
inline constexpr std::uint32_t kMinAlignment = 64;
inline constexpr std::uint32_t kDefaultSmallAlignment = 256;
inline constexpr std::uint32_t kDefaultLargeAlignment = 4096;
inline constexpr std::uint32_t kMaxAlignment = 2U << 20U;

}  // namespace ckpt
