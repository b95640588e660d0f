#include "io/tensor_writer.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace ckpt::io {

TensorWriter::TensorWriter(os::ReplacementFile& file, const format::Geometry& geometry,
                           codec::ZstdCompressor* compressor, std::string path, DType dtype, const Shape& shape,
                           std::uint64_t data_size)
    : file_{file},
      geometry_{geometry},
      compressor_{compressor},
      path_{std::move(path)},
      identity_{format::identity(path_, dtype, shape, data_size, codec::xxh3)} {
  record_.path = path_;
  record_.dtype = dtype;
  record_.shape = shape;
  record_.data_size = data_size;
  if (compressor_ == nullptr || data_size == 0) start(format::Codec::stored);
}

// A tensor that would gain less than 5 % stays plain, and so usable where it lies.
bool TensorWriter::shrinks(std::size_t compressed, std::size_t whole) const noexcept {
  return compressed <= whole - whole / 20;
}

void TensorWriter::sample(std::span<const std::byte> data) {
  if (decided_ || data.size() <= geometry_.chunk_size) return;  // the only chunk decides for itself
  const std::size_t last = (data.size() - 1) / geometry_.chunk_size;
  std::size_t compressed = 0;
  std::size_t whole = 0;
  for (const std::size_t i : std::array{std::size_t{0}, last / 2}) {
    const auto chunk = data.subspan(i * geometry_.chunk_size, geometry_.chunk_size);
    compressed += compressor_->compress(chunk).size();
    whole += chunk.size();
  }
  start(shrinks(compressed, whole) ? format::Codec::zstd : format::Codec::stored);
}

void TensorWriter::start(format::Codec codec) {
  decided_ = true;
  record_.codec = codec;
  const std::uint64_t alignment = format::alignment_of(geometry_, codec, record_.data_size);
  const std::uint64_t surplus = file_.size() % alignment;
  if (surplus != 0) file_.append_zeros(alignment - surplus);
  record_.blob_offset = file_.size();
}

void TensorWriter::append(std::span<const std::byte> data) {
  if (data.size() > record_.data_size - received_) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "more bytes than dtype and shape say",
                 .object = path_,
                 .expected = std::to_string(record_.data_size),
                 .found = std::to_string(received_) + " + " + std::to_string(data.size())}};
  }
  received_ += data.size();
  if (decided_ && record_.codec == format::Codec::stored) {
    append_stored(data);
  } else {
    gather(data);
  }
}

void TensorWriter::append_stored(std::span<const std::byte> data) {
  while (!data.empty()) {
    const auto part = data.first(std::min<std::size_t>(data.size(), geometry_.chunk_size - in_chunk_));
    data = data.subspan(part.size());
    const bool ends =
        in_chunk_ + part.size() == geometry_.chunk_size || (data.empty() && received_ == record_.data_size);
    if (in_chunk_ == 0 && ends) {
      sums_.push_back(codec::xxh3(part, next_seed()));
    } else {
      if (!partial_) partial_.emplace();
      if (in_chunk_ == 0) partial_->reset(next_seed());
      partial_->update(part);
      if (ends) sums_.push_back(partial_->digest());
    }
    in_chunk_ = ends ? 0 : in_chunk_ + part.size();
    file_.append(part);  // right after it was hashed, while it is in the cache
  }
}

// Whole chunks, copied together where the caller's pieces are smaller.
void TensorWriter::gather(std::span<const std::byte> data) {
  std::uint64_t left = received_ - data.size();  // before this piece
  while (!data.empty()) {
    if (decided_ && record_.codec == format::Codec::stored) return append_stored(data);  // since the chunk before
    const std::size_t chunk_end = static_cast<std::size_t>(
        std::min<std::uint64_t>(geometry_.chunk_size, record_.data_size - (left - chunk_.size())));
    const auto part = data.first(std::min(data.size(), chunk_end - chunk_.size()));
    data = data.subspan(part.size());
    left += part.size();
    if (chunk_.empty() && part.size() == chunk_end) {
      take_chunk(part);
    } else {
      chunk_.insert(chunk_.end(), part.begin(), part.end());
      if (chunk_.size() == chunk_end) take_chunk(std::exchange(chunk_, {}));
    }
  }
}

void TensorWriter::take_chunk(std::span<const std::byte> chunk) {
  const std::span<const std::byte> frame = compressor_->compress(chunk);
  if (!decided_) {
    start(shrinks(frame.size(), chunk.size()) ? format::Codec::zstd : format::Codec::stored);
    if (record_.codec == format::Codec::stored) return append_stored(chunk);
  }
  sums_.push_back(codec::xxh3(frame, next_seed()));
  frames_.push_back(static_cast<std::uint32_t>(frame.size()));
  file_.append(frame);
}

format::TensorRecord TensorWriter::finish() {
  if (received_ != record_.data_size) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "fewer bytes than dtype and shape say",
                 .object = path_,
                 .expected = std::to_string(record_.data_size),
                 .found = std::to_string(received_)}};
  }
  record_.blob_size = file_.size() - record_.blob_offset;
  return record_;
}

}  // namespace ckpt::io
