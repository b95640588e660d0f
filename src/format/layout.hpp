// The bytes of a checkpoint file outside of its blobs and its index. docs/format.md is the specification.
// Little-endian.
//
//   header, 64 bytes at offset 0
//      0  8  magic 89 43 4B 50 0D 0A 1A 0A
//      8  2  major version, 1
//     10  2  minor version, 0
//     12  4  byte order mark 0x0A0B0C0D
//     16  8  required features
//     24  8  optional features
//     32 16  uuid
//     48  8  zero
//     56  8  XXH3-64 of bytes 0 to 55
//
//   blobs, padded with zeros to their alignment; zeros up to a multiple of 64
//
//   index, a FlatBuffer (schema/ckpt.fbs), its size a multiple of 8
//   page sums: a tree of XXH3-64. Level 1 has one sum for each 4096 bytes of the index, level k+1 one for each 4096
//   bytes of
//      level k; the last level fits in 4096 bytes. Levels follow each other, level 1 first.
//
//   footer, 64 bytes at the end
//      0  8  offset of the index
//      8  8  size of the index
//     16  8  XXH3-64 of the last level of page sums
//     24  8  size of the file
//     32 16  uuid, as in the header
//     48  8  XXH3-64 of bytes 0 to 47
//     56  8  magic 43 4B 50 54 45 4E 44 0A
//
//   sum of chunk k of a blob: XXH3-64 of the chunk's bytes in the file with the seed identity + k, modulo 2^64, where
//   identity is the XXH3-64 of: path, 00, dtype (2 bytes), rank (1), dimensions (8 each), size of the data (8)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace ckpt::format {

inline constexpr std::size_t kHeaderBytes = 64;
inline constexpr std::size_t kFooterBytes = 64;
inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kIndexAlignment = 64;
inline constexpr std::uint16_t kMajor = 1;
inline constexpr std::uint16_t kMinor = 0;
inline constexpr std::uint32_t kByteOrderMark = 0x0A0B0C0D;
inline constexpr std::array<unsigned char, 8> kHeaderMagic{0x89, 'C', 'K', 'P', '\r', '\n', 0x1a, '\n'};
inline constexpr std::array<unsigned char, 8> kFooterMagic{'C', 'K', 'P', 'T', 'E', 'N', 'D', '\n'};

// Features that a reader must know to read the file.
inline constexpr std::uint64_t kFeatureZstd = 1U << 0U;           ///< a tensor has codec 1
inline constexpr std::uint64_t kFeatureExternalFiles = 1U << 2U;  ///< reserved: blobs in other files
inline constexpr std::uint64_t kFeatureBoxes = 1U << 3U;          ///< reserved: blobs that hold a part of a tensor
inline constexpr std::uint64_t kKnownRequired = kFeatureZstd;

// Features that a reader may ignore.
inline constexpr std::uint64_t kFeatureGraph = 1U << 0U;  ///< the index has nodes

inline constexpr std::uint32_t kNone = 0xffffffff;  ///< an index that points nowhere

enum class Codec : std::uint8_t { stored = 0, zstd = 1 };

/// Compressed data is at most so many times its size in the file: a block of Zstandard takes at least 4 bytes and holds
/// at most 128 KiB.
inline constexpr std::uint64_t kMostExpansion = (std::uint64_t{128} << 10U) / 4;

}  // namespace ckpt::format
