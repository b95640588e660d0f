// The small values of the public API: shapes, dtypes, uuids, errors, the log.
#include "base/log.hpp"

#include <ckpt/dtype.hpp>
#include <ckpt/error.hpp>
#include <ckpt/log.hpp>
#include <ckpt/shape.hpp>
#include <ckpt/tensor.hpp>
#include <ckpt/uuid.hpp>

#include <catch2/catch.hpp>
#include <support/errors.hpp>
#include <support/files.hpp>

#include <atomic>
#include <limits>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("shapes") {
  CHECK(Shape{}.elements() == 1);
  CHECK(Shape{2, 3}.elements() == 6);
  CHECK(Shape{2, 0}.elements() == 0);
  CHECK(Shape{2, 3} == Shape{2, 3});
  CHECK_FALSE(Shape{2, 3} == Shape{3, 2});
  CHECK_FALSE(Shape{2} == Shape{2, 1});
  CHECK(Shape{std::size_t{4}, 3, std::int8_t{2}} == Shape{4, 3, 2});
  CHECK(Shape{std::vector<float>(5).size()} == Shape{5});
  CKPT_CHECK_CODE(ErrorCode::limit, (Shape{2, std::size_t{1} << 63U}));
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, (Shape{2, std::int8_t{-1}}));
  CHECK(to_string(Shape{}) == "[]");
  CHECK(to_string(Shape{2, 3}) == "[2, 3]");
  CHECK(Shape{4, 5}[1] == 5);
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  CHECK(Shape{kMost}.elements() == kMost);
  CHECK(Shape{0, kMost}.elements() == 0);
  CKPT_CHECK_CODE(ErrorCode::limit, Shape{kMost, 2});
  CKPT_CHECK_CODE(ErrorCode::limit, Shape{0, kMost, kMost});
  CKPT_CHECK_CODE(ErrorCode::limit, (Shape{std::int64_t{1} << 32, std::int64_t{1} << 31}));
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, Shape{-1});
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, Shape{0, -1});
  CKPT_CHECK_CODE(ErrorCode::limit, (Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}));
}

TEST_CASE("dimensions are whatever converts to an integer") {
  enum { kRows = 3, kColumns = 4 };
  enum Huge : std::uint64_t { kTooMuch = std::uint64_t{1} << 63U };
  CHECK(Shape{kRows, kColumns} == Shape{3, 4});
  CHECK(Shape{std::integral_constant<int, 3>{}, 2} == Shape{3, 2});
  CHECK(Shape{std::integral_constant<std::size_t, 3>{}, std::uint8_t{2}} == Shape{3, 2});
  const std::atomic<int> counter{5};  // which cannot be copied
  CHECK(Shape{counter} == Shape{5});
  CKPT_CHECK_CODE(ErrorCode::limit, Shape{kTooMuch});
  CKPT_CHECK_CODE(ErrorCode::limit, (Shape{std::integral_constant<std::uint64_t, kTooMuch>{}}));
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, (Shape{std::integral_constant<int, -1>{}}));
}

TEST_CASE("dtypes have one name each") {
  std::set<std::string_view> names;
  for (std::uint16_t value = 1; value <= 28; ++value) {
    const auto dtype = static_cast<DType>(value);
    const std::string_view name = to_string(dtype);
    CHECK(names.insert(name).second);
    CHECK(dtype_from_string(name) == dtype);
  }
  for (const int value : {0, 29, 200, 0xffff}) {
    CHECK(to_string(static_cast<DType>(value)) == "unknown");
    CHECK(bits_of(static_cast<DType>(value)) == 0);
  }
  CHECK_FALSE(dtype_from_string("unknown"));
  CHECK_FALSE(dtype_from_string(""));
  CHECK(bits_of(DType::boolean) == 8);
  CHECK(bits_of(DType::c128) == 128);
  CHECK(bits_of(DType::bf16) == 16);
  CHECK(bits_of(DType::f6_e3m2) == 6);
  CHECK(bits_of(DType::u4) == 4);
  CHECK(bits_of(DType::string) == 0);
  CHECK(dtype_of<float> == DType::f32);
  CHECK(dtype_of<bool> == DType::boolean);
}

TEST_CASE("uuids in words") {
  Uuid uuid{};
  CHECK(to_string(uuid) == "00000000-0000-0000-0000-000000000000");
  for (std::size_t i = 0; i < uuid.size(); ++i) uuid[i] = static_cast<std::byte>(i * 17);
  CHECK(to_string(uuid) == "00112233-4455-6677-8899-aabbccddeeff");
}

TEST_CASE("an error holds its details, and its message all of them") {
  const Error error{ErrorCode::corrupt,
                    {.problem = "damaged page",
                     .file = "runs/a.ckpt",
                     .offset = 0x1000,
                     .object = "net/\nkernel",
                     .expected = "12",
                     .found = "13",
                     .advice = "use another",
                     .system_error = 5}};
  CHECK(error.code() == ErrorCode::corrupt);
  CHECK(std::string{error.what()} ==
        "runs/a.ckpt: net/\\x0akernel: damaged page at offset 0x1000, expected 12, found 13: Input/output error "
        "(errno 5); use another");
  CHECK(error.details().object == "net/\nkernel");
  CHECK(std::string{Error{ErrorCode::busy, {}}.what()} == "busy");
  for (int code = 1; code <= 9; ++code) CHECK(to_string(static_cast<ErrorCode>(code)) != "unknown");
  CHECK(to_string(static_cast<ErrorCode>(77)) == "unknown");
}

TEST_CASE("a name of a file is escaped in the message") {
  const Error error{ErrorCode::io, {.problem = "x", .file = "a\x1b[2J.ckpt"}};
  CHECK(std::string{error.what()} == "a\\x1b[2J.ckpt: x");
}

TEST_CASE("the log callback is replaced, emptied, and never lets an exception out") {
  std::vector<std::string> lines;
  set_log_callback([&](LogLevel level, std::string_view text) {
    lines.push_back((level == LogLevel::warning ? "w " : "i ") + std::string{text});
  });
  base::log(LogLevel::info, "one");
  base::log(LogLevel::warning, "two");
  set_log_callback([](LogLevel, std::string_view) { throw 1; });
  base::log(LogLevel::info, "three");
  set_log_callback({});
  base::log(LogLevel::info, "four");
  CHECK(lines == std::vector<std::string>{"i one", "w two"});
}

TEST_CASE("strings are encoded as offsets and bytes") {
  const std::vector<std::string> elements{"ab", "", std::string{"\0x", 2}};
  const Bytes bytes = encode_strings(elements);
  REQUIRE(bytes.size() == 4 * 8 + 4);
  const TensorView view{DType::bytes, Shape{3}, bytes, nullptr};
  CHECK(view.strings() == elements);
  const Bytes none = encode_strings({});
  CHECK(none.size() == 8);
  CHECK(TensorView(DType::string, Shape{0}, none, nullptr).strings().empty());
}

TEST_CASE("strings of a tensor of numbers: the error names what strings are") {
  const Bytes bytes(8);
  const TensorView view{DType::f32, Shape{2}, bytes, nullptr};
  CKPT_REQUIRE_ERROR(error, ErrorCode::mismatch, view.strings());
  CHECK(error.details().expected == "string");
  CHECK(error.details().found == "f32");
}

TEST_CASE("strings with bad offsets are refused") {
  const std::vector<std::string> elements{"ab", "cd"};
  const Bytes good = encode_strings(elements);
  const auto code = [&](std::size_t offset, std::uint64_t value, std::size_t size) {
    Bytes bytes = good;
    for (std::size_t i = 0; i < 8; ++i) bytes[offset + i] = static_cast<std::byte>(value >> (8 * i));
    bytes.resize(size);
    const TensorView view{DType::string, Shape{2}, bytes, nullptr};
    return code_of([&] { static_cast<void>(view.strings()); });
  };
  CHECK(code(0, 0, good.size()) == std::nullopt);
  CHECK(code(0, 1, good.size()) == ErrorCode::corrupt);
  CHECK(code(8, 5, good.size()) == ErrorCode::corrupt);
  CHECK(code(8, ~std::uint64_t{0}, good.size()) == ErrorCode::corrupt);
  CHECK(code(16, 0, good.size()) == ErrorCode::corrupt);
  CHECK(code(16, 3, good.size()) == ErrorCode::corrupt);
  CHECK(code(16, 5, good.size()) == ErrorCode::corrupt);
  CHECK(code(16, ~std::uint64_t{0}, good.size()) == ErrorCode::corrupt);
  CHECK(code(0, 0, 23) == ErrorCode::corrupt);
  CHECK(code(0, 0, 0) == ErrorCode::corrupt);
  CHECK(code(0, 0, good.size() - 1) == ErrorCode::corrupt);
  const TensorView huge{DType::string, Shape{std::int64_t{1} << 61U}, good, nullptr};
  CKPT_CHECK_CODE(ErrorCode::corrupt, huge.strings());
}
