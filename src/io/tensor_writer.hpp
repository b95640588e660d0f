// One tensor on its way into a file: chunks, their sums, compression.
#pragma once

#include "codec/chunk.hpp"
#include "codec/xxh3.hpp"
#include "format/tensor_record.hpp"
#include "io/compress.hpp"
#include "os/replacement_file.hpp"

#include <ckpt/writer.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ckpt::io {

/// Streams a tensor's bytes to the file. Whether it is compressed is decided once, from a sample of the bytes that come
/// first, since stored and compressed blobs are aligned differently. Chunks that come together are summed up, copied
/// and compressed on several threads.
class TensorWriter {
 public:
  /// `encoders` has one for each thread that may compress, and is empty when the tensor shall be stored.
  TensorWriter(os::ReplacementFile& file, const format::Geometry& geometry, std::span<codec::ChunkEncoder> encoders,
               std::string path, DType dtype, const Shape& shape, std::uint64_t data_size);

  TensorWriter(const TensorWriter&) = delete;  // the record refers to path_
  TensorWriter& operator=(const TensorWriter&) = delete;

  /// Throws invalid_argument for more than data_size bytes in all; io.
  void append(std::span<const std::byte> data);

  /// For who compresses several tensors at a time: whether and how this one is compressed is decided by all of its
  /// data; then each chunk of it is encoded, which may be done on several threads; what that returned is appended in
  /// order, instead of the data.
  void choose(std::span<const std::byte> data, codec::ChunkEncoder& encoder);
  bool is_decided() const noexcept { return is_decided_; }
  bool is_compressed() const noexcept { return record_.codec == format::Codec::zstd; }
  std::size_t chunk_count() const noexcept;
  EncodedChunk encode(std::span<const std::byte> data, std::size_t number, codec::ChunkEncoder& encoder) const;
  void append_encoded(const EncodedChunk& chunk);

  /// The record but for block and path pools. Throws invalid_argument when bytes are missing.
  format::TensorRecord finish();

  const std::string& path() const noexcept { return path_; }
  std::span<const std::uint64_t> chunk_sums() const noexcept { return sums_; }
  std::span<const std::uint32_t> frame_sizes() const noexcept { return frames_; }

 private:
  void begin_blob();
  void append_stored(std::span<const std::byte> data);
  void append_whole_chunks(std::span<const std::byte> data);
  void gather(std::span<const std::byte> data);
  void append_chunks(std::span<const std::byte> chunks);
  std::span<const std::byte> chunk_of(std::span<const std::byte> data, std::size_t number) const noexcept;
  EncodedChunk encode_chunk(std::span<const std::byte> chunk, std::size_t number, codec::ChunkEncoder& encoder) const;
  std::uint64_t room_for(std::uint64_t size) const noexcept;
  std::uint64_t next_seed() const noexcept { return identity_ + sums_.size(); }

  os::ReplacementFile& file_;
  format::Geometry geometry_;
  std::span<codec::ChunkEncoder> encoders_;
  codec::PlaneLayout layout_;
  codec::PlaneCodings codings_{};
  std::string path_;
  format::TensorRecord record_;
  std::uint64_t identity_;
  std::uint64_t received_ = 0;
  bool is_decided_ = false;
  bool is_begun_ = false;
  std::vector<std::uint64_t> sums_;
  std::vector<std::uint32_t> frames_;
  std::vector<std::byte> chunk_;              // what was gathered of the current chunk, when compressing or undecided
  std::optional<codec::Xxh3Stream> partial_;  // sum of the current chunk, when storing
  std::size_t in_chunk_ = 0;
};

}  // namespace ckpt::io
