#include "io/tensor_reader.hpp"

#include "base/checked.hpp"
#include "base/text.hpp"
#include "codec/xxh3.hpp"
#include "codec/zstd.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace ckpt::io {
namespace {

// A zstd block holds at most 128 KiB and takes at least 4 bytes: so a frame cannot promise more than this times its
// size.
constexpr std::uint64_t kMostExpansion = (std::uint64_t{128} << 10U) / 4;

std::uint64_t identity_of(const format::IndexView& index, const format::TensorRecord& record) {
  const std::string_view path = record.alias_of == format::kNone ? record.path : index.path(record.alias_of);
  return format::identity(path, record.dtype, record.shape, record.data_size, codec::xxh3);
}

}  // namespace

TensorReader::TensorReader(const Source& source, const format::IndexView& index, const format::TensorRecord& record)
    : source_{source},
      index_{index},
      record_{record},
      identity_{identity_of(index, record)},
      next_offset_{record.blob_offset} {
  if (record_.codec == format::Codec::zstd) check_frames();
}

void TensorReader::corrupt(std::string problem, std::uint64_t offset) const {
  throw Error{ErrorCode::corrupt,
              {.problem = std::move(problem),
               .offset = offset,
               .object = std::string{record_.path},
               .advice = "the file is damaged: use another checkpoint"}};
}

void TensorReader::check_frames() const {
  base::Checked total{0};
  const std::uint64_t chunk_size = index_.geometry().chunk_size;
  for (std::uint32_t chunk = 0; chunk < record_.chunk_count; ++chunk) {
    const std::uint64_t size = index_.frame_size(record_.first_frame + chunk);
    const std::uint64_t content = std::min(chunk_size, record_.data_size - chunk * chunk_size);
    if (size * kMostExpansion < content || size > content + chunk_size) {
      corrupt("the frame of chunk " + std::to_string(chunk + 1) + " has an impossible size", record_.blob_offset);
    }
    total = total + size;
  }
  if (total.get() != record_.blob_size) corrupt("the frames do not fill the blob", record_.blob_offset);
}

TensorReader::Piece TensorReader::piece(std::uint32_t chunk) {
  const std::uint64_t chunk_size = index_.geometry().chunk_size;
  const std::uint64_t start = chunk * chunk_size;
  const auto content = static_cast<std::uint32_t>(std::min(chunk_size, record_.data_size - start));
  if (record_.codec == format::Codec::stored) return {record_.blob_offset + start, content, content};
  if (chunk < next_chunk_) {
    next_chunk_ = 0;
    next_offset_ = record_.blob_offset;
  }
  for (; next_chunk_ < chunk; ++next_chunk_) next_offset_ += index_.frame_size(record_.first_frame + next_chunk_);
  return {next_offset_, index_.frame_size(record_.first_frame + chunk), content};
}

void TensorReader::check_sum(std::uint32_t chunk, const Piece& piece, std::span<const std::byte> stored) const {
  const std::uint64_t expected = index_.chunk_sum(record_.first_chunk + chunk);
  const std::uint64_t actual = codec::xxh3(stored, identity_ + chunk);
  if (actual == expected) return;
  throw Error{
      ErrorCode::corrupt,
      {.problem = "damaged data: chunk " + std::to_string(chunk + 1) + " of " + std::to_string(record_.chunk_count),
       .offset = piece.offset,
       .object = std::string{record_.path},
       .expected = "xxh3 " + base::hex16(expected),
       .found = "xxh3 " + base::hex16(actual),
       .advice = "use another checkpoint"}};
}

void TensorReader::check_frame(std::uint32_t chunk, const Piece& piece, const char* problem) const {
  if (problem == nullptr) return;
  corrupt("chunk " + std::to_string(chunk + 1) + " of " + std::to_string(record_.chunk_count) + ": " + problem,
          piece.offset);
}

void TensorReader::read_into(std::span<std::byte> destination, bool verify) {
  std::vector<std::byte> scratch;
  for (std::uint32_t chunk = 0; chunk < record_.chunk_count; ++chunk) {
    const Piece at = piece(chunk);
    const auto target = destination.first(at.content);
    destination = destination.subspan(at.content);
    if (record_.codec == format::Codec::stored) {
      // What is checked is the copy: the file may change under a mapping, the copy does not.
      source_.copy(at.offset, target);
      if (verify) check_sum(chunk, at, target);
      continue;
    }
    const auto frame = source_.bytes(at.offset, at.stored, scratch);
    if (verify) check_sum(chunk, at, frame);
    check_frame(chunk, at, codec::zstd_decompress(frame, target, index_.geometry().chunk_size));
  }
}

std::uint64_t TensorReader::verify(std::uint32_t first, std::uint32_t last, std::vector<std::byte>& scratch) {
  std::uint64_t total = 0;
  for (std::uint32_t chunk = first; chunk < last; ++chunk) {
    const Piece at = piece(chunk);
    const auto stored = source_.bytes(at.offset, at.stored, scratch);
    check_sum(chunk, at, stored);
    if (record_.codec == format::Codec::zstd) {
      check_frame(chunk, at, codec::zstd_frame_problem(stored, at.content, index_.geometry().chunk_size));
    }
    total += stored.size();
  }
  return total;
}

}  // namespace ckpt::io
