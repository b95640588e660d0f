// One tensor on its way into a file: chunks, their sums, compression.
#pragma once

#include "codec/chunk.hpp"
#include "codec/xxh3.hpp"
#include "format/tensor_record.hpp"
#include "io/pipeline.hpp"
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
  /// `pipeline` is null when the tensor shall be stored.
  TensorWriter(os::ReplacementFile& file, const format::Geometry& geometry, Pipeline* pipeline, std::string path,
               DType dtype, const Shape& shape, std::uint64_t data_size);

  TensorWriter(const TensorWriter&) = delete;  // the record refers to path_
  TensorWriter& operator=(const TensorWriter&) = delete;

  /// Throws invalid_argument for more than data_size bytes in all; io.
  void append(std::span<const std::byte> data);

  /// All of its data at once, instead of append(), for who compresses several tensors at a time. The data stays where
  /// it is until that job is finished.
  class Part;
  Part take_whole(std::span<const std::byte> data);

  /// Whether it writes right into the file: it is stored, and no thread of a pipeline has to look at it before.
  bool is_stored() const noexcept { return is_decided_ && !is_compressed(); }

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
  void choose(std::span<const std::byte> data, codec::ChunkEncoder& encoder);
  std::span<const std::byte> chunk_of(std::span<const std::byte> data, std::size_t number) const noexcept;
  std::size_t chunk_count() const noexcept;
  bool is_compressed() const noexcept { return record_.codec == format::Codec::zstd; }
  void append_encoded(const EncodedChunk& chunk);
  std::uint64_t room_for(std::uint64_t size) const noexcept;
  std::uint64_t next_seed() const noexcept { return identity_ + sums_.size(); }

  os::ReplacementFile& file_;
  format::Geometry geometry_;
  Pipeline* pipeline_;
  codec::ChunkCoding coding_;
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

/// Whole chunks that came together, or all of a tensor.
class TensorWriter::Part final : public Pipeline::Job {
 public:
  /// `first` is the number of the first chunk.
  Part(TensorWriter& tensor, std::span<const std::byte> data, std::size_t first)
      : tensor_{tensor}, data_{data}, first_{first} {}

  void choose(codec::ChunkEncoder& encoder) override;
  std::size_t count() const noexcept override;
  std::size_t room_for(std::size_t chunk) const noexcept override;
  EncodedChunk encode(std::size_t chunk, codec::ChunkEncoder& encoder) const override;
  void consume(std::size_t chunk, const EncodedChunk& encoded) override;

 private:
  TensorWriter& tensor_;
  const std::span<const std::byte> data_;
  const std::size_t first_;
};

}  // namespace ckpt::io
