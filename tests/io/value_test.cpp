// Values that a dtype does not have are refused when they are written, in whatever pieces they come.
#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/errors.hpp>
#include <support/files.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::size_t kWhole = 0;  // with add()
constexpr std::size_t kPieces[] = {kWhole, 1, 3, 8, 13};

// Writes one tensor, in pieces of that many bytes, and reads it again.
Bytes written(DType dtype, const Shape& shape, const Bytes& data, std::size_t piece) {
  const TempDir dir;
  Writer writer{dir / "a.ckpt", sample_options()};
  if (piece == kWhole) {
    writer.add("v", dtype, shape, data);
  } else {
    writer.begin("v", dtype, shape, {}, data.size());
    for (std::size_t i = 0; i < data.size(); i += piece) {
      writer.append(std::span{data}.subspan(i, std::min(piece, data.size() - i)));
    }
    writer.end();
  }
  writer.commit();
  return bytes_of(Reader::open(dir / "a.ckpt").tensor("v"));
}

Bytes encoded(const std::vector<std::string>& elements) { return encode_strings(elements); }

// The data of [2] elements "ab" and "cd" with other offsets.
Bytes with_offsets(const std::vector<std::uint64_t>& offsets) {
  Bytes data = encoded({"ab", "cd"});
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    for (std::size_t byte = 0; byte < 8; ++byte) data[8 * i + byte] = static_cast<std::byte>(offsets[i] >> (8 * byte));
  }
  return data;
}

std::string refused(DType dtype, const Shape& shape, const Bytes& data) {
  std::string said;
  for (const std::size_t piece : kPieces) {
    INFO(to_string(dtype) << " in pieces of " << piece);
    CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, written(dtype, shape, data, piece));
    CHECK(error.details().object == "v");
    CHECK_FALSE(error.details().advice.empty());
    said = error.what();
  }
  return said;
}

}  // namespace

TEST_CASE("text and bytes of all kinds are written as they are", "[values]") {
  const std::vector<std::vector<std::string>> texts{
      {"", "", ""},
      {"a", "", "bc"},
      {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"},  // of 2, 3 and 4 bytes
      {"\xf0\x9f\x98\x80\xc3\xa9z", "\xe2\x82\xac\xe2\x82\xac", "z\xc3\xa9"}};
  for (const auto& elements : texts) {
    for (const std::size_t piece : kPieces) {
      CHECK(written(DType::string, {3}, encoded(elements), piece) == encoded(elements));
      CHECK(written(DType::bytes, {3, 1}, encoded(elements), piece) == encoded(elements));
    }
  }
  for (const std::size_t piece : kPieces) {
    CHECK(written(DType::bytes, {2}, encoded({"\xff", "\xc3"}), piece) == encoded({"\xff", "\xc3"}));
    CHECK(written(DType::string, {}, encoded({"scalar"}), piece) == encoded({"scalar"}));
    CHECK(written(DType::string, {2, 0}, encoded({}), piece) == encoded({}));
    CHECK(written(DType::boolean, {4}, to_bytes(std::string{"\0\1\1\0", 4}), piece).size() == 4);
  }
}

TEST_CASE("data that cannot be text or bytes is refused", "[values]") {
  for (const DType dtype : {DType::string, DType::bytes}) {
    CHECK(contains(refused(dtype, {3}, random_bytes(8, 1)), "4 offsets of 8 bytes, then the elements, found 8 bytes"));
    CHECK(contains(refused(dtype, {3}, to_bytes(std::string(32, 'x'))), "number 0, expected 0, found 86"));
    CHECK(contains(refused(dtype, {0}, Bytes(16)), "1 offsets of 8 bytes, found 16 bytes"));
    refused(dtype, {0}, to_bytes("offset 0"));
    refused(dtype, {}, {});
    refused(dtype, {std::int64_t{1} << 61U}, Bytes(64));
    CHECK(contains(refused(dtype, {2}, with_offsets({1, 2, 4})), "number 0, expected 0, found 1; encode_strings()"));
    CHECK(contains(refused(dtype, {2}, with_offsets({0, 5, 4})), "number 1, expected 0 to 4, found 5"));
    CHECK(contains(refused(dtype, {2}, with_offsets({0, 2, 3})), "number 2, expected 4, found 3"));
    CHECK(contains(refused(dtype, {2}, with_offsets({0, 2, 5})), "number 2, expected 4, found 5"));
    refused(dtype, {2}, with_offsets({0, ~std::uint64_t{0}, 4}));
    Bytes three = encoded({"ab", "cd", "ef"});
    std::swap(three[8], three[16]);  // 0, 4, 2, 6
    CHECK(contains(refused(dtype, {3}, three), "number 2, expected 4 to 6, found 2"));
  }
}

TEST_CASE("text that is not UTF-8 is refused, bytes are not", "[values]") {
  CHECK(contains(refused(DType::string, {}, encoded({"\xff"})), "element 0 is not UTF-8; store it with dtype bytes"));
  for (const char* bad : {"\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3z", "\xc0\xaf", "\xed\xa0\x80", "a\x80", "\x80",
                          "\xf0\x9f\x98\x80\xf0\x9f\x98", "\xf5\x80\x80\x80", "\xe2\x82\xac\x82\x82\x82\x82"}) {
    CHECK(contains(refused(DType::string, {3}, encoded({"good", bad, "good"})), "element 1 is not UTF-8"));
    for (const std::size_t piece : kPieces) written(DType::bytes, {3}, encoded({"good", bad, "good"}), piece);
  }
  // The elements together would be: the character lies across two of them.
  CHECK(contains(refused(DType::string, {2}, encoded({"\xc3", "\xa9"})), "element 0 is not UTF-8"));
}

TEST_CASE("a bool is 0 or 1", "[values]") {
  Bytes data(40, std::byte{1});
  data[33] = std::byte{7};
  CHECK(contains(refused(DType::boolean, {40}, data), "v: element 33 is no bool, expected 0 or 1, found 7"));
}

TEST_CASE("numbers given as text are not written", "[values]") {
  const TempDir dir;
  const std::vector<double> numbers{1, 2, 3, 4};
  Writer writer{dir / "a.ckpt", sample_options()};
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, writer.add("s", DType::string, {3}, std::as_bytes(std::span{numbers})));
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, writer.commit());
  CHECK(names_in(dir.path()).empty());
}
