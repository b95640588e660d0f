// Shapes, dtypes and block types.
#include "patches.hpp"

#include <ckpt/dtype.hpp>

namespace ckpt::test::hostile {
namespace {

// "large" is u8 [1024], "squeezed" is u8 [3, 65536]: nobody shares their dimensions.
Case dims(std::string name, int number, std::string path, std::initializer_list<std::int64_t> dims,
          std::vector<std::string> says) {
  return {.name = "shape " + std::move(name),
          .number = number,
          .says = std::move(says),
          .patch = dims_of(std::move(path), dims)};
}

template <typename T>
Case record(std::string name, int number, std::string path, std::size_t field, T value, std::vector<std::string> says) {
  return {.name = "shape " + std::move(name),
          .number = number,
          .says = std::move(says),
          .patch = in_record(std::move(path), field, value)};
}

Case dtype(std::string name, int number, std::string path, DType value, std::vector<std::string> says) {
  return record("dtype " + std::move(name), number, std::move(path), at::kDType, static_cast<std::uint16_t>(value),
                std::move(says));
}

Case block(std::string name, int number, std::size_t field, std::uint32_t value, std::vector<std::string> says) {
  return {.name = "block " + std::move(name),
          .number = number,
          .says = std::move(says),
          .patch = in_element(Column::blocks, kBlockBytes, 0, field, value)};
}

}  // namespace

Cases shape_cases() {
  constexpr const char* kSize = "the size does not fit dtype and shape";
  constexpr const char* kElements = "the number of elements does not fit in 63 bits";
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  return {
      record<std::uint8_t>("rank 9", 57, "large", at::kRank, 9, {"kMaxRank", "found 9"}),
      record<std::uint8_t>("rank 255", 58, "large", at::kRank, 255, {"kMaxRank", "found 255"}),
      record<std::uint8_t>("rank 0 of many bytes", 69, "large", at::kRank, 0, {kSize, "expected 1 bytes for u8 []"}),
      record<std::uint8_t>("scalar with dimensions", 69, "scalar", at::kRank, 8, {"dimensions outside of their pool"}),
      record<std::uint32_t>("dimensions outside of the pool", 74, "large", at::kDimsOffset, 1U << 20U,
                            {"dimensions outside of their pool", "expected", "found"}),
      record<std::uint32_t>("dimensions that wrap", 74, "large", at::kDimsOffset, kMost32,
                            {"dimensions outside of their pool"}),
      dims("negative", 59, "large", {-1}, {"a negative dimension", "found [-1]"}),
      dims("most negative", 59, "large", {kLeast}, {"a negative dimension", "found [-9223372036854775808]"}),
      dims("two negative", 59, "squeezed", {-3, -65536}, {"a negative dimension"}),
      dims("product overflows", 61, "squeezed", {kMostDim, 2}, {kElements, "found"}),
      dims("product is 2^63", 61, "squeezed", {std::int64_t{1} << 62U, 2}, {kElements}),
      dims("product wraps to 0", 65, "squeezed", {std::int64_t{1} << 62U, 4}, {kElements}),
      dims("product wraps to the right size", 65, "squeezed", {(std::int64_t{1} << 62U) + 3, 4}, {kElements}),
      dims("another product", 85, "squeezed", {2, 65536}, {kSize, "expected 131072 bytes", "found 196608"}),
      dims("a larger product", 85, "large", {1025}, {kSize, "expected 1025 bytes for u8 [1025]", "found 1024"}),
      dims("zero", 66, "squeezed", {0, 5}, {kSize, "expected 0 bytes"}),
      dims("zero hides an overflow", 67, "empty", {0, kMostDim, kMostDim}, {kElements}),
      {.name = "shape zero with other dimensions",
       .number = 66,
       .verdict = Verdict::accept,
       .patch = dims_of("empty", {0, 1, kMostDim})},
      dtype("0", 41, "large", static_cast<DType>(0), {"there is no such dtype", "expected at least 1", "found 0"}),
      dtype("wider", 73, "large", DType::f64, {kSize, "expected 8192 bytes for f64 [1024]", "found 1024"}),
      dtype("narrower", 73, "large", DType::u4, {kSize, "expected 512 bytes"}),
      dtype("packed within a byte", 70, "scalar", DType::f6_e2m3, {"packed elements must fill whole bytes"}),
      dtype("block without a block type", 70, "large", DType::block, {"needs a block type"}),
      {.name = "shape bytes overflow",
       .number = 62,
       .says = {"the size in bytes does not fit in 64 bits"},
       .patch =
           both(dims_of("large", {kMostDim}), in_record("large", at::kDType, static_cast<std::uint16_t>(DType::c128)))},
      {.name = "shape bytes of blocks overflow",
       .number = 62,
       .says = {"the size in bytes does not fit in 64 bits"},
       .patch = both(dims_of("all/block", {std::int64_t{1} << 61U, 2}),
                     in_element(Column::blocks, kBlockBytes, 0, 8, kMost32))},
      {.name = "shape bytes of packed elements",
       .number = 62,
       .says = {kSize, "expected 4611686018427387900 bytes for u4 [9223372036854775800]"},
       .patch = both(dims_of("large", {9'223'372'036'854'775'800}),
                     in_record("large", at::kDType, static_cast<std::uint16_t>(DType::u4)))},
      record<std::uint32_t>("block type of a plain dtype", 71, "large", at::kBlock, 0,
                            {"only a tensor of dtype block"}),
      record<std::uint32_t>("block type out of range", 71, "all/block", at::kBlock, 1,
                            {"no such block type", "expected less than 1", "found 1"}),
      record<std::uint32_t>("no block type", 71, "all/block", at::kBlock, kMost32, {"needs a block type"}),
      block("of no bytes", 70, 8, 0, {"needs a block type of at least one byte"}),
      block("of no elements", 70, 12, 0, {"needs a block type of at least one byte and one element"}),
      block("of elements that do not divide", 70, 12, 33, {"the elements do not fill whole blocks"}),
      block("of one byte more", 62, 8, 19, {kSize, "expected 38 bytes", "found 36"}),
      block("of many bytes", 62, 8, kMost32, {kSize, "expected 8589934590 bytes"}),
      block("name out of range", 29, 0, kMost32, {"a name or text lies outside of its pool"}),
      block("name too long", 47, 4, kMost32, {"outside of its pool"}),
      block("without a name", 45, 4, 0, {"a block type without a proper name"}),
      {.name = "dtype unknown and well placed",
       .number = 71,
       .verdict = Verdict::accept,
       .patch = in_record<std::uint16_t>("large", at::kDType, 200),
       .seal = Seal::data},
      {.name = "dtype unknown and misplaced",
       .number = 71,
       .says = {"the blob lies outside"},
       .patch = both(in_record<std::uint16_t>("large", at::kDType, 65535),
                     in_record<std::uint64_t>("large", at::kBlobOffset, 1ULL << 40U))},
  };
}

}  // namespace ckpt::test::hostile
