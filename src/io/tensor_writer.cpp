#include "io/tensor_writer.hpp"

#include "base/checked.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <utility>

namespace ckpt::io {
namespace {

// Pieces from all over the data, one after the other: a 64th of it, within bounds, or all where there is little. Trying
// codings takes up to ten times as long as the right one.
std::vector<std::byte> sample_of(std::span<const std::byte> data) {
  constexpr std::size_t kPieceBytes = 4096;  // whole elements of every dtype
  const std::size_t pieces = std::clamp<std::size_t>(data.size() / 64 / kPieceBytes, 4, 16);
  if (data.size() <= 2 * pieces * kPieceBytes) return {data.begin(), data.end()};
  const std::size_t step = data.size() / pieces / kPieceBytes * kPieceBytes;
  std::vector<std::byte> sample;
  sample.reserve(pieces * kPieceBytes);
  for (std::size_t i = 0; i < pieces; ++i) {
    const auto piece = data.subspan(i * step, kPieceBytes);
    sample.insert(sample.end(), piece.begin(), piece.end());
  }
  return sample;
}

}  // namespace

TensorWriter::TensorWriter(os::ReplacementFile& file, const format::Geometry& geometry, Pipeline* pipeline,
                           std::string path, DType dtype, const Shape& shape, std::uint64_t data_size)
    : file_{file},
      geometry_{geometry},
      pipeline_{pipeline},
      coding_{.layout = codec::plane_layout(dtype)},
      path_{std::move(path)},
      identity_{format::identity(path_, dtype, shape, data_size, codec::xxh3)} {
  record_.path = path_;
  record_.dtype = dtype;
  record_.shape = shape;
  record_.data_size = data_size;
  // What fits into the least room that a blob takes cannot gain.
  is_decided_ = pipeline_ == nullptr || data_size <= geometry_.small_alignment;
}

std::size_t TensorWriter::chunk_count() const noexcept {
  return static_cast<std::size_t>(base::divide_up(record_.data_size, std::uint64_t{geometry_.chunk_size}));
}

// In the file, where each compressed blob begins on the small alignment.
std::uint64_t TensorWriter::room_for(std::uint64_t size) const noexcept {
  return base::divide_up(size, geometry_.small_alignment) * geometry_.small_alignment;
}

// A tensor that would gain less than 5 % stays plain, and so usable where it lies.
void TensorWriter::choose(std::span<const std::byte> data, codec::ChunkEncoder& encoder) {
  const std::vector<std::byte> sample = sample_of(data);
  const auto choice = encoder.choose(sample, coding_.layout);
  coding_ = choice.coding;
  const std::uint64_t whole = room_for(sample.size());
  record_.codec = room_for(choice.size) <= whole - whole / 20 ? format::Codec::zstd : format::Codec::stored;
  is_decided_ = true;
}

void TensorWriter::begin_blob() {
  if (std::exchange(is_begun_, true)) return;
  const std::uint64_t alignment = format::alignment_of(geometry_, record_.codec, record_.data_size);
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
  if (is_decided_ && !is_compressed()) {
    append_stored(data);
  } else {
    gather(data);
  }
}

void TensorWriter::append_stored(std::span<const std::byte> data) {
  begin_blob();
  const std::size_t chunk_size = geometry_.chunk_size;
  if (in_chunk_ == 0 && data.size() >= chunk_size) {
    const auto whole =
        data.first(received_ == record_.data_size ? data.size() : data.size() - data.size() % chunk_size);
    append_whole_chunks(whole);
    record_.blob_size += whole.size();
    data = data.subspan(whole.size());
  }
  while (!data.empty()) {
    const auto part = data.first(std::min<std::size_t>(data.size(), chunk_size - in_chunk_));
    data = data.subspan(part.size());
    const bool ends = in_chunk_ + part.size() == chunk_size || (data.empty() && received_ == record_.data_size);
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
    record_.blob_size += part.size();
  }
}

void TensorWriter::append_whole_chunks(std::span<const std::byte> data) {
  const std::size_t first = sums_.size();
  const std::uint64_t first_seed = next_seed();
  sums_.resize(first + base::divide_up(data.size(), std::size_t{geometry_.chunk_size}));
  file_.append_pieces(data, geometry_.chunk_size, [&](std::size_t i, std::span<const std::byte> chunk) {
    sums_[first + i] = codec::xxh3(chunk, first_seed + i);
  });
}

// Whole chunks, as many as come together; copied together where the caller's pieces are smaller.
void TensorWriter::gather(std::span<const std::byte> data) {
  // From the beginning of the current chunk on.
  std::uint64_t left = record_.data_size - received_ + data.size() + chunk_.size();
  while (!data.empty()) {
    if (is_decided_ && !is_compressed()) return append_stored(data);  // since the chunk before
    if (chunk_.empty() && (data.size() == left || data.size() >= geometry_.chunk_size)) {
      const auto whole =
          data.first(data.size() == left ? data.size() : data.size() - data.size() % geometry_.chunk_size);
      append_chunks(whole);
      left -= whole.size();
      data = data.subspan(whole.size());
      continue;
    }
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(geometry_.chunk_size, left));
    const auto part = data.first(std::min(data.size(), size - chunk_.size()));
    chunk_.insert(chunk_.end(), part.begin(), part.end());
    data = data.subspan(part.size());
    if (chunk_.size() < size) return;
    append_chunks(std::exchange(chunk_, {}));
    left -= size;
  }
}

void TensorWriter::append_chunks(std::span<const std::byte> chunks) {
  Part part{*this, chunks, sums_.size()};
  pipeline_->wait_for(pipeline_->submit(part, chunks.size()));
}

TensorWriter::Part TensorWriter::take_whole(std::span<const std::byte> data) {
  received_ = data.size();
  return {*this, data, 0};
}

std::span<const std::byte> TensorWriter::chunk_of(std::span<const std::byte> data, std::size_t number) const noexcept {
  const auto rest = data.subspan(number * geometry_.chunk_size);
  return rest.first(std::min<std::size_t>(rest.size(), geometry_.chunk_size));
}

void TensorWriter::append_encoded(const EncodedChunk& chunk) {
  begin_blob();
  sums_.push_back(chunk.sum);
  frames_.push_back(static_cast<std::uint32_t>(chunk.stored.size()));
  file_.append(chunk.stored);
  record_.blob_size += chunk.stored.size();
}

void TensorWriter::Part::choose(codec::ChunkEncoder& encoder) {
  if (!tensor_.is_decided_) tensor_.choose(data_, encoder);
}

// What is stored is one, however large, which waits in no memory but its own.
std::size_t TensorWriter::Part::count() const noexcept {
  return tensor_.is_compressed() ? base::divide_up(data_.size(), std::size_t{tensor_.geometry_.chunk_size}) : 1;
}

// But for some bytes: a chunk that does not shrink has a header besides.
std::size_t TensorWriter::Part::room_for(std::size_t chunk) const noexcept {
  return tensor_.is_compressed() ? tensor_.chunk_of(data_, chunk).size() : 0;
}

EncodedChunk TensorWriter::Part::encode(std::size_t chunk, codec::ChunkEncoder& encoder) const {
  if (!tensor_.is_compressed()) return {};
  const auto stored = encoder.encode(tensor_.chunk_of(data_, chunk), tensor_.coding_);
  return {stored, codec::xxh3(stored, tensor_.identity_ + first_ + chunk)};
}

void TensorWriter::Part::consume(std::size_t /*chunk*/, const EncodedChunk& encoded) {
  if (tensor_.is_compressed()) {
    tensor_.append_encoded(encoded);
  } else {
    tensor_.append_stored(data_);
  }
}

format::TensorRecord TensorWriter::finish() {
  if (sums_.size() != chunk_count()) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "fewer bytes than dtype and shape say",
                 .object = path_,
                 .expected = std::to_string(record_.data_size),
                 .found = std::to_string(received_)}};
  }
  begin_blob();
  return record_;
}

}  // namespace ckpt::io
