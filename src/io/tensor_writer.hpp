// One tensor on its way into a file: chunks, their sums, compression.
#pragma once

#include "codec/xxh3.hpp"
#include "codec/zstd.hpp"
#include "format/tensor_record.hpp"
#include "os/replacement_file.hpp"

#include <ckpt/writer.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ckpt::io {

/// Streams a tensor's bytes to the file. Whether it is compressed is decided once, from samples or its first chunk,
/// since stored and compressed blobs are aligned differently.
class TensorWriter {
 public:
  /// `compressor` is null when the tensor shall be stored.
  TensorWriter(os::ReplacementFile& file, const format::Geometry& geometry, codec::ZstdCompressor* compressor,
               std::string path, DType dtype, const Shape& shape, std::uint64_t data_size);

  TensorWriter(const TensorWriter&) = delete;  // the record refers to path_
  TensorWriter& operator=(const TensorWriter&) = delete;

  /// Decides from whole data, ahead of append().
  void sample(std::span<const std::byte> data);

  /// Throws invalid_argument for more than data_size bytes in all; io.
  void append(std::span<const std::byte> data);

  /// The record but for block and path pools. Throws invalid_argument when bytes are missing.
  format::TensorRecord finish();

  const std::string& path() const noexcept { return path_; }
  std::span<const std::uint64_t> chunk_sums() const noexcept { return sums_; }
  std::span<const std::uint32_t> frame_sizes() const noexcept { return frames_; }

 private:
  void start(format::Codec codec);
  void append_stored(std::span<const std::byte> data);
  void gather(std::span<const std::byte> data);
  void take_chunk(std::span<const std::byte> chunk);
  bool shrinks(std::size_t compressed, std::size_t whole) const noexcept;
  std::uint64_t next_seed() const noexcept { return identity_ + sums_.size(); }

  os::ReplacementFile& file_;
  format::Geometry geometry_;
  codec::ZstdCompressor* compressor_;
  std::string path_;
  format::TensorRecord record_;
  std::uint64_t identity_;
  std::uint64_t received_ = 0;
  bool decided_ = false;
  std::vector<std::uint64_t> sums_;
  std::vector<std::uint32_t> frames_;
  std::vector<std::byte> chunk_;              // what was gathered of the current chunk, when compressing or undecided
  std::optional<codec::Xxh3Stream> partial_;  // sum of the current chunk, when storing
  std::size_t in_chunk_ = 0;
};

}  // namespace ckpt::io
