// Codecs, chunks, frames and aliases in the records.
#include "patches.hpp"

namespace ckpt::test::hostile {
namespace {

template <typename T>
Case record(std::string name, int number, std::string path, std::size_t field, T value, std::vector<std::string> says) {
  return {.name = "record " + std::move(name),
          .number = number,
          .says = std::move(says),
          .patch = in_record(std::move(path), field, value)};
}

// The sizes of "squeezed"'s three frames.
Case frame(std::string name, std::size_t i, std::uint32_t value, std::vector<std::string> says) {
  return {.name = "frame " + std::move(name),
          .number = 98,
          .says = std::move(says),
          .patch = in_element(Column::frame_sizes, 4, i, 0, value)};
}

Case alias(std::string name, std::uint32_t owner, std::vector<std::string> says) {
  return record("alias " + std::move(name), 79, "tied", at::kAliasOf, owner, std::move(says));
}

Patch alias_of(std::string path, std::string owner) {
  return [path = std::move(path), owner = std::move(owner)](FileImage& image) {
    in_record(path, at::kAliasOf, static_cast<std::uint32_t>(image.find(owner)))(image);
  };
}

// Behind the blob are zeros.
void longer_blob(FileImage& image) {
  const std::size_t place = image.tensor(image.find("squeezed")) + at::kBlobSize;
  image.set(place, image.get<std::uint64_t>(place) + 1);
}

}  // namespace

Cases chunk_cases() {
  constexpr const char* kCodec = "unknown codec";
  constexpr const char* kChunks = "the chunks do not fit the size of the data";
  constexpr const char* kFrames = "the frames do not fit the chunks";
  constexpr const char* kDiffers = "an alias differs from the tensor that it names";
  return {
      record<std::uint8_t>("of the next codec", 41, "large", at::kCodec, 2, {kCodec, "found 2"}),
      record<std::uint8_t>("of an unknown codec", 41, "large", at::kCodec, 255, {kCodec, "found 255"}),
      record<std::uint8_t>("stored and said to be zstd", 41, "large", at::kCodec, 1, {"large"}),
      record<std::uint8_t>("zstd and said to be stored", 41, "squeezed", at::kCodec, 0,
                           {"a stored blob has another size than its data"}),
      record<std::uint32_t>("reserved field in use", 10, "large", at::kTensorReserved, 1,
                            {"reserved bytes are not zero", "expected 0", "found 1"}),
      record<std::uint32_t>("without chunks", 98, "large", at::kChunkCount, 0, {kChunks, "expected 1", "found 0"}),
      record<std::uint32_t>("with a chunk too many", 98, "large", at::kChunkCount, 2, {kChunks, "found 2"}),
      record<std::uint32_t>("with 2^32 chunks", 98, "large", at::kChunkCount, kMost32, {kChunks, "found 4294967295"}),
      record<std::uint32_t>("with a chunk too few", 98, "squeezed", at::kChunkCount, 2, {kChunks}),
      record<std::uint32_t>("with one more chunk", 98, "squeezed", at::kChunkCount, 4, {kChunks}),
      record<std::uint32_t>("chunks outside of the sums", 98, "large", at::kFirstChunk, 1U << 20U, {kChunks}),
      record<std::uint32_t>("chunks that wrap", 98, "large", at::kFirstChunk, kMost32, {kChunks}),
      record<std::uint32_t>("frames outside of the sizes", 98, "squeezed", at::kFirstFrame, 1, {kFrames}),
      record<std::uint32_t>("frames that wrap", 98, "squeezed", at::kFirstFrame, kMost32, {kFrames}),
      record<std::uint32_t>("frames of stored data", 98, "large", at::kFirstFrame, 1, {kFrames}),
      {.name = "record chunk sum of another tensor",
       .number = 79,
       .verdict = Verdict::verify,
       .says = {"chunk sums of no tensor or of two"},
       .patch = both(copied<std::uint32_t>("w/m", "all/u8", at::kFirstChunk)),
       .seal = Seal::data},
      {.name = "record chunk sum of none",
       .number = 79,
       .verdict = Verdict::verify,
       .says = {"chunk sums of no tensor or of two"},
       .patch = both(alias_of("w/m", "w"), both(copied<std::uint64_t>("w", "w/m", at::kBlobOffset),
                                                copied<std::uint32_t>("w", "w/m", at::kFirstChunk)))},
      {.name = "record compressed and without data",
       .number = 97,
       .says = {"empty", "a compressed tensor"},
       .patch = in_record<std::uint8_t>("empty", at::kCodec, 1)},
      record<std::uint64_t>("compressed further than that can be", 98, "squeezed", at::kBlobSize, 5,
                            {"the blob is too small for its data", "expected at least 6 bytes", "found 5"}),
      record<std::uint64_t>("compressed as far as that can be", 98, "squeezed", at::kBlobSize, 6,
                            {"the chunks are longer than the blob"}),
      frame("of no bytes", 0, 0, {"chunk 1 has an impossible size", "expected", "found 0"}),
      frame("of one byte", 1, 1, {"chunk 2 has an impossible size", "found 1"}),
      frame("of 4 GiB", 0, kMost32, {"chunk 1 has an impossible size", "found 4294967295"}),
      frame("longer than it is", 1, 1000, {"squeezed"}),
      {.name = "frames that leave a byte of the blob",
       .number = 98,
       .says = {"squeezed", "the chunks do not fill the blob", "expected", "found"},
       .patch = longer_blob},
      alias("of none", 1000, {"an alias of no tensor", "found 1000"}),
      alias("far away", kMost32 - 1, {"an alias of no tensor"}),
      {.name = "record alias of itself", .number = 79, .says = {kDiffers}, .patch = alias_of("tied", "tied")},
      {.name = "record alias of another size", .number = 79, .says = {kDiffers}, .patch = alias_of("tied", "all/f64")},
      {.name = "record alias of an alias", .number = 79, .says = {kDiffers, "w/m"}, .patch = alias_of("w/m", "tied")},
      {.name = "record aliases in a circle",
       .number = 79,
       .says = {kDiffers},
       .patch = alias_of("w", "tied"),
       .failing = 2},
      {.name = "record alias with a blob of its own",
       .number = 79,
       .says = {kDiffers},
       .patch = copied<std::uint64_t>("w/m", "tied", at::kBlobOffset)},
      {.name = "record alias that is not declared",
       .number = 79,
       .verdict = Verdict::verify,
       .says = {"expected", "found"},
       .patch = in_record("tied", at::kAliasOf, kMost32)},
  };
}

}  // namespace ckpt::test::hostile
