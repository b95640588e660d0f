// Checksums and compression: bytes in, bytes out, and no trust in a frame.
#include "codec/repeats.hpp"
#include "codec/summed_copy.hpp"
#include "codec/xxh3.hpp"
#include "codec/zstd.hpp"

#include <catch2/catch.hpp>
#include <support/child.hpp>
#include <support/errors.hpp>
#include <support/files.hpp>
#include <sys/mman.h>
#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::size_t kWindow = std::size_t{1} << 20U;

// At more than a 32nd of all places.
bool has_repeats(const Bytes& data, std::size_t length) {
  const std::size_t enough = data.size() / 32;
  return codec::count_repeats(data, length, enough) > enough;
}

Bytes compress(const Bytes& data, int level = 1) {
  codec::ZstdCompressor compressor{level};
  Bytes frame(ZSTD_compressBound(data.size()));
  frame.resize(compressor.compress(data, frame));
  return frame;
}

std::string_view refuse(const Bytes& frame, std::size_t size) {
  Bytes out(size);
  const char* reason = codec::zstd_decompress(frame, out, kWindow);
  return reason == nullptr ? std::string_view{} : reason;
}

// A frame made by zstd's own parameters.
Bytes frame_with(const Bytes& data, std::initializer_list<std::pair<ZSTD_cParameter, int>> parameters,
                 bool pledged = true) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  for (const auto& [parameter, value] : parameters) ZSTD_CCtx_setParameter(context, parameter, value);
  Bytes frame(ZSTD_compressBound(data.size()) + 64);
  ZSTD_inBuffer in{data.data(), data.size(), 0};
  ZSTD_outBuffer out{frame.data(), frame.size(), 0};
  if (pledged) {
    ZSTD_CCtx_setPledgedSrcSize(context, data.size());
    ZSTD_compressStream2(context, &out, &in, ZSTD_e_end);
  } else {
    ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush);
    ZSTD_compressStream2(context, &out, &in, ZSTD_e_end);
  }
  ZSTD_freeCCtx(context);
  frame.resize(out.pos);
  return frame;
}

}  // namespace

TEST_CASE("XXH3-64 gives the published values") {
  CHECK(codec::xxh3({}) == 0x2D06800538D394C2ULL);
  CHECK(codec::xxh3({}, 0x9E3779B185EBCA8DULL) == 0xA8A6B918B2F0364AULL);
  CHECK(codec::xxh3(to_bytes("abc")) != codec::xxh3(to_bytes("abc"), 1));
}

TEST_CASE("a sum in pieces is the sum") {
  const Bytes data = random_bytes(100'000, 1);
  codec::Xxh3Stream stream;
  for (const std::size_t size : {0U, 1U, 16U, 240U, 241U, 1024U, 100'000U}) {
    for (const std::size_t piece : {1U, 7U, 255U, 256U, 4096U}) {
      stream.reset(99);
      for (std::size_t done = 0; done < size; done += piece) {
        stream.update(std::span{data}.subspan(done, std::min<std::size_t>(piece, size - done)));
      }
      CHECK(stream.digest() == codec::xxh3(std::span{data}.first(size), 99));
    }
  }
}

TEST_CASE("a copy with its sum, at every alignment") {
  const Bytes from = random_bytes(200'000, 1);
  for (const std::size_t size : {0U, 1U, 63U, 32'767U, 32'768U, 32'831U, 32'832U, 49'200U, 199'000U}) {
    for (const std::size_t to_shift : {0U, 1U, 16U, 63U, 64U, 100U}) {
      for (const std::size_t from_shift : {0U, 1U, 64U}) {
        Bytes to(200'000);
        const auto source = std::span{from}.subspan(from_shift, size);
        const std::uint64_t sum = codec::copy_with_sum(std::span{to}.subspan(to_shift, size), source, 99);
        INFO(size << " bytes, " << to_shift << " from " << from_shift);
        CHECK(sum == codec::xxh3(source, 99));
        CHECK(std::ranges::equal(std::span{to}.subspan(to_shift, size), source));
        CHECK(std::ranges::all_of(std::span{to}.first(to_shift), [](std::byte byte) { return byte == std::byte{}; }));
        CHECK(to[to_shift + size] == std::byte{});
      }
    }
  }
}

TEST_CASE("the sum is that of the copy, whoever writes to what is copied") {
  constexpr std::size_t kSize = std::size_t{1} << 20U;
  void* shared = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(shared != MAP_FAILED);
  const std::span from{static_cast<std::byte*>(shared), kSize};
  {
    const Process writer{[&] {
      while (true) {
        for (std::byte& byte : from) const_cast<volatile std::byte&>(byte) = ~byte;
      }
    }};
    Bytes to(kSize);
    int changed = 0;  // copies of what was written to meanwhile
    for (int copies = 0; changed < 60; ++copies) {
      REQUIRE(copies < 50'000);
      const std::uint64_t sum = codec::copy_with_sum(to, from, 0);
      if (!std::ranges::equal(to, from)) ++changed;
      REQUIRE(sum == codec::xxh3(to));
    }
  }
  ::munmap(shared, kSize);
}

TEST_CASE("what was compressed comes back") {
  for (const int level : {-7, 1, 22}) {
    for (const std::size_t size : {1U, 100U, 65536U, 1U << 20U}) {
      for (const Bytes& data : {smooth_bytes(size, 3), random_bytes(size, 3)}) {
        const Bytes frame = compress(data, level);
        Bytes out(size);
        CHECK(codec::zstd_decompress(frame, out, kWindow) == nullptr);
        CHECK(out == data);
      }
    }
  }
}

TEST_CASE("a compressor may be used again, also when there was too little room") {
  for (const bool entropy_only : {false, true}) {
    auto compressor = entropy_only ? codec::ZstdCompressor::entropy_only() : codec::ZstdCompressor{1};
    Bytes first(50'000);
    first.resize(compressor.compress(smooth_bytes(70'000, 1), first));
    CHECK_FALSE(first.empty());
    Bytes out(50'000);
    CHECK(compressor.compress(random_bytes(300'000, 1), out) == 0);
    out.resize(compressor.compress(smooth_bytes(70'000, 1), out));
    CHECK(out == first);
  }
}

TEST_CASE("levels that zstd does not know are refused") {
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, codec::ZstdCompressor{23});
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, codec::ZstdCompressor{-8});
}

TEST_CASE("a frame of another size is refused") {
  const Bytes frame = compress(smooth_bytes(1000, 1));
  CHECK(refuse(frame, 1000).empty());
  CHECK(refuse(frame, 999) == "the zstd frame declares another content size");
  CHECK(refuse(frame, 1001) == "the zstd frame declares another content size");
  CHECK_FALSE(refuse(frame, 0).empty());
}

TEST_CASE("a cut frame, bytes after it, and a second frame are refused") {
  const Bytes frame = compress(smooth_bytes(1000, 1));
  for (std::size_t size = 0; size < frame.size(); ++size) {
    const std::string_view reason = refuse({frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size)}, 1000);
    CHECK(reason == (size < 7 ? "no zstd frame header" : "the zstd frame is cut off or damaged"));
  }
  Bytes longer = frame;
  longer.push_back(std::byte{0});
  CHECK(refuse(longer, 1000) == "bytes follow the zstd frame");
  Bytes two = compress(smooth_bytes(500, 1));
  const Bytes second = compress(smooth_bytes(500, 1));
  two.insert(two.end(), second.begin(), second.end());
  CHECK_FALSE(refuse(two, 1000).empty());
}

TEST_CASE("frames that ask for more than a chunk needs are refused") {
  const Bytes data = smooth_bytes(5000, 1);
  CHECK_FALSE(refuse(frame_with(data, {}, false), 5000).empty());  // no content size
  // Skippable frames: 50 2A 4D 18, a size, and that many bytes.
  Bytes skippable = to_bytes("\x50\x2a\x4d\x18");
  skippable.insert(skippable.end(), {std::byte{4}, std::byte{0}, std::byte{0}, std::byte{0}});
  skippable.resize(skippable.size() + 4);
  CHECK(refuse(skippable, 4) == "a skippable zstd frame");
  const Bytes good = compress(data);
  skippable.insert(skippable.end(), good.begin(), good.end());
  CHECK_FALSE(refuse(skippable, 5000).empty());
  // Descriptor 80: no single segment, content size in 4 bytes; then a window of 512 MiB.
  Bytes window{std::byte{0x28}, std::byte{0xb5}, std::byte{0x2f}, std::byte{0xfd}, std::byte{0x80}, std::byte{0x98}};
  for (const unsigned byte : {0x88U, 0x13U, 0U, 0U, 1U, 0U, 0U}) window.push_back(static_cast<std::byte>(byte));
  CHECK(refuse(window, 5000) == "the zstd frame asks for too large a window");
}

TEST_CASE("a frame that holds less than it declares is refused") {
  // Single segment, content size 200 in one byte, one last raw block of 3 bytes.
  Bytes frame{std::byte{0x28}, std::byte{0xb5}, std::byte{0x2f}, std::byte{0xfd}, std::byte{0x20}, std::byte{200}};
  for (const unsigned byte : {0x19U, 0U, 0U, 1U, 2U, 3U}) frame.push_back(static_cast<std::byte>(byte));
  CHECK(refuse(frame, 200) == "the zstd frame is damaged");
  frame[5] = std::byte{3};
  CHECK(refuse(frame, 3).empty());
  // The same with the number of a dictionary, which nobody has.
  frame[4] = std::byte{0x21};
  frame.insert(frame.begin() + 5, std::byte{7});
  CHECK(refuse(frame, 3) == "the zstd frame needs a dictionary");
}

TEST_CASE("random damage to a frame never does harm") {
  const Bytes data = smooth_bytes(70'000, 1);
  const Bytes frame = compress(data);
  for (std::size_t i = 0; i < frame.size(); ++i) {
    for (const unsigned flip : {0x01U, 0x80U, 0xffU}) {
      Bytes bad = frame;
      bad[i] ^= static_cast<std::byte>(flip);
      Bytes out(data.size() + 1, std::byte{0x5a});
      codec::zstd_decompress(bad, std::span{out}.first(data.size()), kWindow);
      CHECK(out.back() == std::byte{0x5a});
    }
  }
}

TEST_CASE("repetitions are found that are long and frequent enough") {
  constexpr std::size_t kPiece = 65;  // pieces begin at places that are looked up, and at others
  for (const std::size_t length : {4U, 7U, 8U, 11U, 16U}) {
    INFO("length " << length);
    Bytes data = random_bytes(16 * kPiece, length);
    CHECK_FALSE(has_repeats(data, length));
    const auto begins = [&](std::size_t copied) {  // each piece with the first bytes of the one before
      for (std::size_t i = kPiece; i < data.size(); i += kPiece) std::copy_n(data.data(), copied, data.data() + i);
      return has_repeats(data, length);
    };
    CHECK_FALSE(begins(length - 1));  // too short
    CHECK_FALSE(begins(length));      // 15 places of 1,040
    CHECK(begins(length + 5));        // 90 places
  }
}

TEST_CASE("a long repetition is found however long ago it was") {
  Bytes data = random_bytes(65'536, 1);
  CHECK_FALSE(has_repeats(data, 4));
  std::copy_n(data.begin(), data.size() / 2, data.begin() + 32'765);  // no multiple of four
  CHECK(has_repeats(data, 4));
  Bytes plane = random_bytes(16'384, 2);
  std::copy_n(plane.begin(), plane.size() / 4, plane.end() - 4'097);
  CHECK(has_repeats(plane, 4));
}

TEST_CASE("a repetition counts as four, and not many more are counted than are enough") {
  CHECK(codec::count_repeats({}, 4, 0) == 0);
  CHECK(codec::count_repeats(Bytes(15), 16, 0) == 0);
  CHECK(codec::count_repeats(Bytes(22), 16, 0) == 0);
  CHECK(codec::count_repeats(Bytes(23), 16, 0) == 4);
  CHECK(codec::count_repeats(Bytes(1003), 4, 1000) == 996);  // of 1,000 places
  CHECK(codec::count_repeats(Bytes(1003), 4, 10) == 12);
}
