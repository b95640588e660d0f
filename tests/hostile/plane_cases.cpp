// Compressed chunks: their planes, and the zstd frames in them.
#include "patches.hpp"

#include <functional>

namespace ckpt::test::hostile {
namespace {

// What a chunk of Base::planes is made of: header, sizes of four planes, three stored planes, a frame.
constexpr std::uint32_t kPlane = 16384;
constexpr std::size_t kTable = 4;
constexpr std::size_t kFrame = kTable + 4 * sizeof(std::uint32_t) + 3 * std::size_t{kPlane};

using InBlob = std::function<void(FileImage& image, std::size_t blob)>;

Case chunk(std::string name, int number, InBlob patch, std::vector<std::string> says,
           Verdict verdict = Verdict::object) {
  says.emplace_back("exponents");
  return {.name = "planes " + std::move(name),
          .number = number,
          .verdict = verdict,
          .says = std::move(says),
          .patch =
              [patch = std::move(patch)](FileImage& image) {
                const std::size_t record = image.tensor(image.find("exponents"));
                patch(image, static_cast<std::size_t>(image.get<std::uint64_t>(record + at::kBlobOffset)));
              },
          .seal = Seal::data,
          .base = Base::planes};
}

Case byte(std::string name, std::size_t offset, std::uint8_t value) {
  return chunk(std::move(name), 98,
               [=](FileImage& image, std::size_t blob) { image.set<std::uint8_t>(blob + offset, value); },
               {"chunk 1 of 2"});
}

// Flips bits of the frame.
Case frame(std::string name, int number, std::size_t offset, std::uint8_t bits, std::vector<std::string> says,
           Verdict verdict = Verdict::object) {
  return chunk(
      "frame " + std::move(name), number,
      [=](FileImage& image, std::size_t blob) {
        const auto present = image.get<std::uint8_t>(blob + kFrame + offset);
        image.set<std::uint8_t>(blob + kFrame + offset, static_cast<std::uint8_t>(present ^ bits));
      },
      std::move(says), verdict);
}

// Adds to the sizes of two planes, modulo 2^32.
Case sizes(std::string name, std::vector<std::string> says, std::uint32_t plane, std::uint32_t more,
           std::uint32_t other = 0, std::uint32_t other_more = 0) {
  return chunk(
      std::move(name), 98,
      [=](FileImage& image, std::size_t blob) {
        for (const auto& [i, change] : {std::pair{plane, more}, std::pair{other, other_more}}) {
          const std::size_t entry = blob + kTable + sizeof(std::uint32_t) * i;
          image.set<std::uint32_t>(entry, image.get<std::uint32_t>(entry) + change);
        }
      },
      std::move(says));
}

Case chunk_size(std::string name, std::uint32_t value) {
  return {.name = "planes " + std::move(name),
          .number = 98,
          .says = {"exponents", "chunk 1 has an impossible size"},
          .patch = in_element(Column::frame_sizes, 4, 0, 0, value),
          .base = Base::planes};
}

// The border between the two chunks moves.
void longer_first_chunk(FileImage& image) {
  for (const std::uint32_t i : {0U, 1U}) {
    const std::size_t size = image.element(Column::frame_sizes, i, 4);
    image.set<std::uint32_t>(size, image.get<std::uint32_t>(size) + (i == 0 ? 1 : kMost32));
  }
}

// The last plane becomes bytes that begin as `frame` says, and are filled with zeros.
InBlob another_frame(std::initializer_list<int> frame) {
  return [bytes = std::vector<int>(frame)](FileImage& image, std::size_t blob) {
    const auto size = image.get<std::uint32_t>(blob + kTable + 3 * sizeof(std::uint32_t));
    for (std::size_t i = 0; i < size; ++i) {
      image.set<std::uint8_t>(blob + kFrame + i, static_cast<std::uint8_t>(i < bytes.size() ? bytes.at(i) : 0));
    }
  };
}

}  // namespace

Cases plane_cases() {
  const std::uint32_t minus_one = kMost32;
  constexpr const char* kPlaneSize = "a plane has an impossible size";
  constexpr const char* kContent = "the zstd frame declares another content size";
  return {
      byte("none", 0, 0),
      byte("of one byte", 0, 1),
      byte("two", 0, 2),
      byte("three", 0, 3),
      byte("eight", 0, 8),
      byte("sixteen", 0, 16),
      byte("255", 0, 255),
      byte("rotated twice", 1, 2),
      byte("reserved byte of a chunk", 2, 1),
      byte("last reserved byte of a chunk", 3, 0x80),
      sizes("one of no bytes", {kPlaneSize}, 0, -kPlane),
      sizes("one that is too long", {kPlaneSize}, 0, 1),
      sizes("one that is far too long", {kPlaneSize}, 0, kMost32 - kPlane),
      sizes("one that ends behind its chunk", {"the planes are longer than their chunk"}, 3, 1),
      sizes("one that ends before its chunk does", {"bytes follow the planes"}, 3, minus_one),
      sizes("a frame instead of a stored plane", {"no zstd frame header"}, 0, minus_one, 3, 1),
      sizes("sizes that wrap", {kPlaneSize}, 1, 0x80000000U, 2, 0x80000000U),
      frame("no magic", 97, 0, 0xff, {"no zstd frame header"}),
      chunk("frame skippable", 97, another_frame({0x50, 0x2a, 0x4d, 0x18, 4}), {"a skippable zstd frame"}),
      frame("with a dictionary", 97, 4, 0x01, {"chunk 1 of 2"}),
      frame("of no known content size", 93, 4, 0x60, {kContent}),
      frame("of another content size", 95, 5, 0x10, {kContent}),
      frame("of another content size high byte", 95, 6, 0x80, {kContent}),
      frame("first block", 97, 7, 0x06, {"chunk 1 of 2"}),
      frame("first codes", 97, 20, 0xff, {"chunk 1 of 2", "the zstd frame is damaged"}, Verdict::decode),
      // Magic, descriptor without single segment and with a content size of 2 bytes, a window of 512 MiB.
      chunk("frame with a window of 512 MiB", 94, another_frame({0x28, 0xb5, 0x2f, 0xfd, 0x40, 0x98, 0x00, 0x3f}),
            {"the zstd frame asks for too large a window"}),
      chunk("frame with the largest window", 94, another_frame({0x28, 0xb5, 0x2f, 0xfd, 0x40, 0xff, 0x00, 0x3f}),
            {"chunk 1 of 2"}),
      // A content size of 8 bytes, all ones.
      chunk("frame of 2^64 bytes", 95,
            another_frame({0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
            {"chunk 1 of 2"}),
      // A frame of the right content size that ends at once, and another behind it.
      chunk("two frames", 97,
            another_frame({0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x3f, 0x01, 0x00, 0x00, 0x28, 0xb5, 0x2f, 0xfd, 0x20}),
            {"bytes follow the zstd frame"}),
      chunk_size("chunk of no bytes", 0),
      chunk_size("chunk that is too long", kMost32),
      chunk_size("chunk that is longer than planes can be", 65536 + 37),
      {.name = "planes chunk with a byte of the next",
       .number = 98,
       .says = {"exponents"},
       .patch = longer_first_chunk,
       .seal = Seal::data,
       .base = Base::planes},
  };
}

}  // namespace ckpt::test::hostile
