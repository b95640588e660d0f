// What the index says of a tensor, in plain values, and the rules that tie these values together. Writer and reader
// share them.
#pragma once

#include "format/hash.hpp"
#include "format/layout.hpp"

#include <ckpt/dtype.hpp>
#include <ckpt/error.hpp>
#include <ckpt/shape.hpp>
#include <ckpt/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ckpt::format {

struct TensorRecord {
  std::string_view path;
  DType dtype{};
  Shape shape;
  Codec codec = Codec::stored;
  std::uint64_t blob_offset = 0;  // in the file
  std::uint64_t blob_size = 0;    // in the file
  std::uint64_t data_size = 0;    // after decompression
  std::uint32_t first_chunk = 0;
  std::uint32_t chunk_count = 0;
  std::uint32_t first_frame = 0;
  std::uint32_t alias_of = kNone;
  std::uint32_t block = kNone;
};

/// How a file lays out its blobs, in bytes.
struct Geometry {
  std::uint32_t chunk_size = 0;
  std::uint32_t small_alignment = 0;
  std::uint32_t large_alignment = 0;
};

/// What is not allowed in it, by the names of WriterOptions: problem, expected and found; or nothing.
std::optional<ErrorDetails> why_not_a_geometry(const Geometry& geometry);

/// What `dtype` and `shape` say of the size of the data.
struct DataSize {
  const char* problem = nullptr;            ///< why such a tensor cannot be
  std::optional<std::uint64_t> bytes = {};  ///< nothing when the shape does not tell (string, bytes, unknown dtypes)
  const char* advice = "";                  ///< to who writes it
};
DataSize data_size(DType dtype, const Shape& shape, const BlockType* block) noexcept;

/// Where a blob may start: stored blobs of large_alignment bytes or more on that, others on small_alignment.
std::uint32_t alignment_of(const Geometry& geometry, Codec codec, std::uint64_t blob_size) noexcept;

/// What the sums of a tensor's chunks are seeded with, so that data under another name, dtype or shape does not pass.
/// For an alias: of its owner.
std::uint64_t identity(std::string_view path, DType dtype, const Shape& shape, std::uint64_t data_size, Hash hash);

}  // namespace ckpt::format
