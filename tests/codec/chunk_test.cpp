// Byte planes and compressed chunks: bytes in, bytes out, and no trust in a chunk.
#include "codec/chunk.hpp"

#include <catch2/catch.hpp>
#include <support/files.hpp>
#include <support/floats.hpp>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;
using codec::PlaneCoding;
using codec::PlaneCodings;
using codec::PlaneLayout;

namespace {

constexpr std::size_t kWindow = std::size_t{1} << 20U;
constexpr auto kStored = PlaneCoding::stored, kEntropy = PlaneCoding::entropy, kMatches = PlaneCoding::matches;
constexpr PlaneCodings kAll{kEntropy, kEntropy, kEntropy, kEntropy, kEntropy, kEntropy, kEntropy, kEntropy};
// Stored planes before, between and behind others.
constexpr PlaneCodings kSome{kStored, kStored, kEntropy, kStored, kMatches, kEntropy, kStored, kStored};
constexpr PlaneCodings kFirst{kEntropy, kStored, kStored, kMatches, kStored, kEntropy, kStored, kStored};

const std::vector<PlaneLayout>& layouts() {
  static const std::vector<PlaneLayout> all{{1, false}, {2, false}, {4, false}, {8, false},
                                            {1, true},  {2, true},  {4, true},  {8, true}};
  return all;
}

Bytes encode(const Bytes& data, PlaneLayout layout, const PlaneCodings& codings = kAll) {
  codec::ChunkEncoder encoder{1};
  return to_vector(encoder.encode(data, {layout, codings}));
}

// Why it was refused, or nothing. Both ways to look at a chunk have to agree, but for what only decoding finds.
std::string_view refuse(const Bytes& stored, std::size_t size) {
  codec::ChunkDecoder decoder;
  Bytes out(size + 1, std::byte{0x5a});
  const char* reason = decoder.decode(stored, std::span{out}.first(size), kWindow);
  CHECK(out.back() == std::byte{0x5a});
  const char* looked_at = codec::chunk_problem(stored, size, kWindow);
  if (looked_at != nullptr) CHECK(std::string_view{reason} == looked_at);
  return reason == nullptr ? std::string_view{} : reason;
}

void set_entry(Bytes& stored, std::size_t plane, std::uint32_t value) {
  std::memcpy(stored.data() + 4 + 4 * plane, &value, sizeof value);
}

std::uint32_t entry(const Bytes& stored, std::size_t plane) {
  std::uint32_t value = 0;
  std::memcpy(&value, stored.data() + 4 + 4 * plane, sizeof value);
  return value;
}

// One behind the other.
codec::PlanePlaces places_in(Bytes& planes, std::size_t width) {
  codec::PlanePlaces places{};
  for (std::size_t i = 0; i < width; ++i) places[i] = planes.data() + i * (planes.size() / width);
  return places;
}

}  // namespace

TEST_CASE("planes hold one byte of each element") {
  const Bytes data = to_bytes("\x01\x02\x03\x84\x11\x12\x13\x14");
  Bytes planes(8);
  codec::split_planes(data, {4, false}, places_in(planes, 4));
  CHECK(planes == to_bytes("\x01\x11\x02\x12\x03\x13\x84\x14"));
  // Rotated: 0x84030201 becomes 0x08060403, 0x14131211 becomes 0x28262422.
  codec::split_planes(data, {4, true}, places_in(planes, 4));
  CHECK(planes == to_bytes("\x03\x22\x04\x24\x06\x26\x08\x28"));
}

TEST_CASE("planes come together again, whatever their number and length") {
  for (const PlaneLayout layout : layouts()) {
    for (const std::size_t count : {0U, 1U, 2U, 15U, 16U, 17U, 31U, 33U, 63U, 64U, 65U, 127U, 1000U, 4099U}) {
      const Bytes data = random_bytes(count * layout.width, count);
      Bytes planes(data.size());
      const codec::PlanePlaces places = places_in(planes, layout.width);
      codec::split_planes(data, layout, places);
      Bytes out(data.size());
      codec::join_planes({places[0], places[1], places[2], places[3], places[4], places[5], places[6], places[7]},
                         layout, out);
      CHECK(out == data);
    }
  }
}

TEST_CASE("the layout follows from the dtype") {
  const auto width = [](DType dtype) { return codec::plane_layout(dtype).width; };
  for (std::uint16_t code = 1; code <= 40; ++code) {
    const auto dtype = static_cast<DType>(code);
    const bool is_complex = dtype == DType::c64 || dtype == DType::c128;
    const std::size_t bytes = bits_of(dtype) / 8 / (is_complex ? 2 : 1);
    CHECK(width(dtype) == std::max<std::size_t>(bytes, 1));
    const bool is_float = dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f32 || dtype == DType::f64;
    CHECK(codec::plane_layout(dtype).rotated == (is_float || is_complex));
  }
}

TEST_CASE("chunks come back") {
  codec::ChunkEncoder encoder{1};
  codec::ChunkDecoder decoder;
  for (const PlaneLayout layout : layouts()) {
    for (const std::size_t count : {1U, 2U, 100U, 8192U, 131'072U}) {
      const std::size_t size = count * layout.width;
      for (const Bytes& data : {smooth_bytes(size, 3), random_bytes(size, 3), normal_floats(size, 3), Bytes(size)}) {
        for (const codec::ChunkCoding& coding : {codec::ChunkCoding{layout},
                                                 {layout, kAll},
                                                 {layout, kSome},
                                                 {layout, kFirst},
                                                 encoder.choose(data, layout).coding}) {
          const Bytes stored = to_vector(encoder.encode(data, coding));
          CHECK(stored.size() <= size + codec::kMostChunkOverhead);
          Bytes out(size);
          CHECK(decoder.decode(stored, out, kWindow) == nullptr);
          CHECK(out == data);
          CHECK(codec::chunk_problem(stored, size, kWindow) == nullptr);
        }
      }
    }
  }
}

TEST_CASE("the exponents of floating-point numbers are compressed, their mantissas are not") {
  const Bytes data = normal_floats(1U << 18U, 1);
  codec::ChunkEncoder encoder{1};
  const auto choice = encoder.choose(data, {4, true});
  CHECK(choice.coding.layout.rotated);
  CHECK(choice.coding.planes == PlaneCodings{kStored, kStored, kStored, kEntropy});
  CHECK(choice.size < data.size() * 7 / 8);
  CHECK(choice.size == encoder.encode(data, choice.coding).size());
}

// Rotated, their mantissas would have the sign among them, and shrink by an eighth.
TEST_CASE("of numbers with one sign the exponents alone are compressed, too") {
  codec::ChunkEncoder encoder{1};
  for (const std::byte sign : {std::byte{0}, std::byte{0x80}}) {
    Bytes data = normal_floats(1U << 16U, 1);
    for (std::size_t i = 3; i < data.size(); i += 4) data[i] = (data[i] & std::byte{0x7f}) | sign;
    const auto choice = encoder.choose(data, {4, true});
    CHECK(choice.coding.layout.width == 4);
    CHECK_FALSE(choice.coding.layout.rotated);
    CHECK(choice.coding.planes == PlaneCodings{kStored, kStored, kStored, kEntropy});
    CHECK(choice.size == encoder.encode(data, choice.coding).size());
    for (const std::size_t other : {std::size_t{3}, data.size() - 1}) {
      Bytes two_signs = data;
      two_signs[other] ^= std::byte{0x80};
      CHECK(encoder.choose(two_signs, {4, true}).coding.layout.rotated);
      CHECK_FALSE(encoder.choose(two_signs, {4, false}).coding.layout.rotated);
    }
  }
}

// 0x3f00... and 0x4080...: of the exponent, the lowest bit is as good as known from the others.
TEST_CASE("numbers with one sign are rotated when that brings exponents together") {
  codec::ChunkEncoder encoder{1};
  Bytes data = random_bytes(1U << 16U, 1);
  for (std::size_t i = 1; i < data.size(); i += 2) {
    const bool large = (data[i] & std::byte{0x80}) != std::byte{0};
    data[i] = large ? std::byte{0x40} : std::byte{0x3f};
    data[i - 1] = (data[i - 1] & std::byte{0x7f}) | (large ? std::byte{0x80} : std::byte{0});
  }
  CHECK(encoder.choose(data, {2, true}).coding.layout.rotated);
  for (std::size_t i = 0; i < data.size(); i += 2) data[i] = random_bytes(1, i)[0];
  CHECK_FALSE(encoder.choose(data, {2, true}).coding.layout.rotated);
}

TEST_CASE("where there are repetitions they are searched for") {
  codec::ChunkEncoder encoder{1};
  Bytes text;
  while (text.size() < 100'000) {
    const Bytes line = to_bytes("the quick brown fox jumps over the lazy dog " + std::to_string(text.size()) + "\n");
    text.insert(text.end(), line.begin(), line.end());
  }
  CHECK(encoder.choose(text, {1, false}).coding.planes[0] == kMatches);
  CHECK(encoder.choose(random_bytes(100'000, 1), {1, false}).coding.planes[0] == kStored);
}

// Bytes of four bits: Huffman codes bring any of them to the half.
TEST_CASE("repetitions are searched for where codes are short, too") {
  codec::ChunkEncoder encoder{1};
  Bytes bytes = random_bytes(16'384, 1);
  for (std::byte& byte : bytes) byte &= std::byte{15};
  CHECK(encoder.choose(bytes, {1, false}).coding.planes[0] == kEntropy);
  std::copy_n(bytes.begin(), 8'192, bytes.begin() + 8'192);
  CHECK(encoder.choose(bytes, {1, false}).coding.planes[0] == kMatches);
}

// Of each 128 bytes 20 are those that lie 13 before: few, but all at one distance.
TEST_CASE("repetitions are searched for where they are few, too") {
  codec::ChunkEncoder encoder{1};
  Bytes bytes = random_bytes(65'536, 1);
  for (std::size_t i = 64; i < bytes.size(); i += 128) std::copy_n(&bytes[i - 13], 20, &bytes[i]);
  CHECK(encoder.choose(bytes, {1, false}).coding.planes[0] == kMatches);
}

// Two of 25 rows are copies: too few for exponents, whose codes are short, and worth the time for mantissas.
TEST_CASE("noise is searched where the exponents before it have repetitions that do not pay") {
  constexpr std::size_t kRow = 256;
  Bytes data = normal_floats(256 * kRow, 1);
  for (std::size_t row = 4; row < 256; ++row) {
    if (row % 25 < 2) std::copy_n(&data[(row - 4) * kRow], kRow, &data[row * kRow]);
  }
  codec::ChunkEncoder encoder{1};
  CHECK(encoder.choose(data, {4, true}).coding.planes == PlaneCodings{kMatches, kMatches, kMatches, kEntropy});
}

TEST_CASE("bytes that are no noise are searched, whatever those before them are like") {
  const Bytes noise = random_bytes(16'384, 1);
  Bytes data(2 * noise.size());
  for (std::size_t i = 0; i < noise.size(); ++i) {
    data[2 * i] = noise[i % 1001] & std::byte{15};
    data[2 * i + 1] = noise[i] & std::byte{15};
  }
  codec::ChunkEncoder encoder{1};
  CHECK(encoder.choose(data, {2, false}).coding.planes == PlaneCodings{kMatches, kEntropy});
}

TEST_CASE("a plane that does not shrink after all is stored") {
  const Bytes data = random_bytes(4096, 1);
  const Bytes stored = encode(data, {2, false});
  CHECK(stored.size() == 12 + 4096);
  CHECK(entry(stored, 0) == 2048);
  CHECK(entry(stored, 1) == 2048);
}

TEST_CASE("hostile headers and tables of planes are refused") {
  const Bytes data = normal_floats(4096, 1);
  const Bytes good = encode(data, {4, true});
  REQUIRE(refuse(good, 4096).empty());
  REQUIRE(entry(good, 3) < 1024);
  const auto with = [&](std::size_t offset, unsigned value) {
    Bytes bad = good;
    bad[offset] = static_cast<std::byte>(value);
    return refuse(bad, 4096);
  };
  for (const unsigned width : {0U, 3U, 5U, 6U, 7U, 9U, 16U, 128U, 255U}) {
    CHECK(with(0, width) == "the chunk has an unknown layout of planes");
  }
  CHECK(with(1, 2) == "the chunk has an unknown layout of planes");
  CHECK(with(2, 1) == "the chunk has an unknown layout of planes");
  CHECK(with(3, 128) == "the chunk has an unknown layout of planes");
  CHECK_FALSE(with(0, 1).empty());
  CHECK_FALSE(with(0, 2).empty());
  CHECK_FALSE(with(0, 8).empty());
  CHECK(refuse(good, 4095) == "the chunk ends within an element");
  CHECK_FALSE(refuse(good, 4092).empty());
  CHECK_FALSE(refuse(good, 4100).empty());
  CHECK_FALSE(refuse(good, 0).empty());
  for (std::size_t plane = 0; plane < 4; ++plane) {
    for (const std::uint32_t size : {0U, 1U, 1023U, 1025U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
      Bytes bad = good;
      set_entry(bad, plane, size);
      CHECK_FALSE(refuse(bad, 4096).empty());
    }
    Bytes none = good;
    set_entry(none, plane, 0);
    CHECK(refuse(none, 4096) == "a plane has an impossible size");
    Bytes bad = good;  // sizes whose sum wraps to the right one
    set_entry(bad, plane, entry(good, plane) + 0x80000000U);
    set_entry(bad, (plane + 1) % 4, entry(good, (plane + 1) % 4) + 0x80000000U);
    CHECK(refuse(bad, 4096) == "a plane has an impossible size");
  }
  Bytes longer = good;  // a size that a plane may have, but there are not so many bytes
  set_entry(longer, 3, 1024);
  CHECK(refuse(longer, 4096) == "the planes are longer than their chunk");
}

TEST_CASE("a cut chunk and bytes after it are refused") {
  const Bytes good = encode(normal_floats(4096, 1), {2, true});
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK(refuse({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}, 4096) ==
          (size < 4    ? "the chunk is shorter than its header"
           : size < 12 ? "the chunk is shorter than its table of planes"
                       : "the planes are longer than their chunk"));
  }
  Bytes longer = good;
  longer.push_back(std::byte{0});
  CHECK(refuse(longer, 4096) == "bytes follow the planes");
}

TEST_CASE("random damage to a chunk never does harm") {
  const Bytes good = encode(normal_floats(8192, 1), {4, true});
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const unsigned flip : {0x01U, 0x80U, 0xffU}) {
      Bytes bad = good;
      bad[i] ^= static_cast<std::byte>(flip);
      refuse(bad, 8192);
    }
  }
}
