#include "io/tensor_reader.hpp"

#include "base/checked.hpp"
#include "base/text.hpp"
#include "codec/xxh3.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace ckpt::io {
namespace {

std::uint64_t identity_of(const format::IndexView& index, const format::TensorRecord& record) {
  const std::string_view path = record.alias_of == format::kNone ? record.path : index.path(record.alias_of);
  return format::identity(path, record.dtype, record.shape, record.data_size, codec::xxh3);
}

}  // namespace

TensorReader::TensorReader(const Source& source, const format::IndexView& index, const format::TensorRecord& record)
    : source_{source}, index_{index}, record_{record}, identity_{identity_of(index, record)} {
  if (record_.codec == format::Codec::zstd) place_frames();
}

void TensorReader::corrupt(std::string problem, std::uint64_t offset, std::string expected, std::string found) const {
  throw Error{ErrorCode::corrupt,
              {.problem = std::move(problem),
               .offset = offset,
               .object = std::string{record_.path},
               .expected = std::move(expected),
               .found = std::move(found),
               .advice = "the file is damaged: use another checkpoint"}};
}

std::uint32_t TensorReader::content_of(std::uint32_t chunk) const noexcept {
  const std::uint64_t start = std::uint64_t{chunk} * chunk_size();
  // No wrap: there are as many chunks as the size of the data gives.
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(chunk_size(), record_.data_size - start));
}

std::uint32_t TensorReader::frame_size(std::uint32_t chunk) const {
  return index_.frame_size(record_.first_frame + chunk);  // No wrap: the record's frames lie within their pool
}

void TensorReader::place_frames() {
  std::uint64_t used = 0;  // No wrap: at most the size of the blob, which lies within the file
  for (std::uint32_t chunk = 0; chunk < record_.chunk_count; ++chunk) {
    const std::uint64_t size = frame_size(chunk);  // No wrap: 32 bits, and 47 when multiplied
    const std::uint64_t content = content_of(chunk);
    if (size * format::kMostExpansion < content || size > content + codec::kMostChunkOverhead) {
      corrupt("chunk " + std::to_string(chunk + 1) + " has an impossible size", record_.blob_offset,
              std::to_string(base::divide_up(content, format::kMostExpansion)) + " to " +
                  std::to_string(content + codec::kMostChunkOverhead) + " bytes",
              std::to_string(size));
    }
    if (size > record_.blob_size - used) {  // No wrap: see above
      corrupt("the chunks are longer than the blob", record_.blob_offset, std::to_string(record_.blob_size) + " bytes",
              "more");
    }
    frames_.push_back(record_.blob_offset + used);  // No wrap: see above
    used += size;
  }
  if (used != record_.blob_size) {
    corrupt("the chunks do not fill the blob", record_.blob_offset, std::to_string(record_.blob_size) + " bytes",
            std::to_string(used));
  }
}

TensorReader::Piece TensorReader::piece(std::uint32_t chunk) const {
  const std::uint32_t content = content_of(chunk);
  if (record_.codec == format::Codec::stored) {
    // No wrap: the chunk lies within the blob.
    return {record_.blob_offset + std::uint64_t{chunk} * chunk_size(), content, content};
  }
  return {frames_[chunk], frame_size(chunk), content};
}

void TensorReader::check_sum(std::uint32_t chunk, const Piece& piece, std::uint64_t actual) const {
  // No wrap: the record's sums lie within their pool.
  const std::uint64_t expected = index_.chunk_sum(record_.first_chunk + chunk);
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

void TensorReader::read_chunk(std::uint32_t chunk, std::span<std::byte> destination, bool verify,
                              Scratch& scratch) const {
  const Piece at = piece(chunk);
  const auto target = destination.subspan(std::size_t{chunk} * chunk_size(), at.content);
  if (record_.codec == format::Codec::stored) {
    if (!verify) return source_.copy(at.offset, target, scratch.direct);
    return check_sum(chunk, at, source_.copy_with_sum(at.offset, target, seed(chunk), scratch.direct));
  }
  const auto stored = source_.bytes(at.offset, at.stored, scratch.stored);
  if (verify) check_sum(chunk, at, codec::xxh3(stored, seed(chunk)));
  check_frame(chunk, at, scratch.decoder.decode(stored, target, chunk_size()));
}

TensorReader::Range TensorReader::range(std::uint32_t chunk) const {
  const Piece at = piece(chunk);
  return {at.offset, at.stored};
}

std::uint64_t TensorReader::verify(std::uint32_t chunk, std::vector<std::byte>& scratch) const {
  const Piece at = piece(chunk);
  const auto stored = source_.bytes(at.offset, at.stored, scratch);
  check_sum(chunk, at, codec::xxh3(stored, seed(chunk)));
  if (record_.codec == format::Codec::zstd) {
    check_frame(chunk, at, codec::chunk_problem(stored, at.content, chunk_size()));
  }
  return stored.size();
}

}  // namespace ckpt::io
