#include <ckpt/dtype.hpp>

#include <array>

namespace ckpt {
namespace {

struct Row {
  DType dtype;
  std::string_view name;
  std::size_t bits;
};

constexpr std::array kRows{
    Row{DType::boolean, "bool", 8},
    Row{DType::i8, "i8", 8},
    Row{DType::i16, "i16", 16},
    Row{DType::i32, "i32", 32},
    Row{DType::i64, "i64", 64},
    Row{DType::u8, "u8", 8},
    Row{DType::u16, "u16", 16},
    Row{DType::u32, "u32", 32},
    Row{DType::u64, "u64", 64},
    Row{DType::f16, "f16", 16},
    Row{DType::bf16, "bf16", 16},
    Row{DType::f32, "f32", 32},
    Row{DType::f64, "f64", 64},
    Row{DType::c64, "c64", 64},
    Row{DType::c128, "c128", 128},
    Row{DType::f8_e4m3fn, "f8_e4m3fn", 8},
    Row{DType::f8_e5m2, "f8_e5m2", 8},
    Row{DType::f8_e4m3fnuz, "f8_e4m3fnuz", 8},
    Row{DType::f8_e5m2fnuz, "f8_e5m2fnuz", 8},
    Row{DType::f8_e8m0fnu, "f8_e8m0fnu", 8},
    Row{DType::f6_e2m3, "f6_e2m3", 6},
    Row{DType::f6_e3m2, "f6_e3m2", 6},
    Row{DType::f4_e2m1, "f4_e2m1", 4},
    Row{DType::i4, "i4", 4},
    Row{DType::u4, "u4", 4},
    Row{DType::string, "string", 0},
    Row{DType::bytes, "bytes", 0},
    Row{DType::block, "block", 0},
};

const Row* find(DType dtype) noexcept {
  const auto index = static_cast<std::size_t>(dtype) - 1;  // the codes are 1, 2, 3, ...
  return index < kRows.size() ? &kRows[index] : nullptr;
}

}  // namespace

std::string_view to_string(DType dtype) noexcept {
  const Row* row = find(dtype);
  return row != nullptr ? row->name : "unknown";
}

std::optional<DType> dtype_from_string(std::string_view name) noexcept {
  for (const Row& row : kRows) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

std::size_t bits_of(DType dtype) noexcept {
  const Row* row = find(dtype);
  return row != nullptr ? row->bits : 0;
}

}  // namespace ckpt
