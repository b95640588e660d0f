// Element types of tensors.
#pragma once

#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ckpt {

/// Element type. The values are those of the file format and never change. Packed elements fill whole bytes, in all
/// and not row by row: a tensor has an even number of elements of 4 bits, and a multiple of four of 6 bits. One that
/// has not is padded in its last dimension, or stored as u8.
enum class DType : std::uint16_t {
  boolean = 1,
  i8 = 2,
  i16 = 3,
  i32 = 4,
  i64 = 5,
  u8 = 6,
  u16 = 7,
  u32 = 8,
  u64 = 9,
  f16 = 10,
  bf16 = 11,
  f32 = 12,
  f64 = 13,
  c64 = 14,   ///< two f32
  c128 = 15,  ///< two f64
  f8_e4m3fn = 16,
  f8_e5m2 = 17,
  f8_e4m3fnuz = 18,
  f8_e5m2fnuz = 19,
  f8_e8m0fnu = 20,
  f6_e2m3 = 21,  ///< packed, first element in the low bits
  f6_e3m2 = 22,  ///< packed, first element in the low bits
  f4_e2m1 = 23,  ///< packed, first element in the low bits
  i4 = 24,       ///< packed, first element in the low bits
  u4 = 25,       ///< packed, first element in the low bits
  string = 26,   ///< UTF-8 text of any length an element; see encode_strings
  bytes = 27,    ///< bytes of any length an element; see encode_strings
  block = 28,    ///< a quantised format, described by a BlockType
};

/// The name used in files' listings and messages ("f32", "bool"); "unknown" for a value that this version does not
/// know.
std::string_view to_string(DType dtype) noexcept;

/// The inverse of to_string; nothing when no dtype has that name.
std::optional<DType> dtype_from_string(std::string_view name) noexcept;

/// Bits of one element; 0 for string, bytes, block and unknown dtypes, whose size the shape does not tell.
std::size_t bits_of(DType dtype) noexcept;

/// The dtype that a C++ type stores as. Specialise it for an engine's own bf16 or f16:
/// `template <> struct ckpt::DTypeOf<my::bfloat16> { static constexpr auto value = ckpt::DType::bf16; };`
template <typename T>
struct DTypeOf;

template <DType D>
struct DTypeConstant {
  static constexpr DType value = D;
};

// clang-format off
template <> struct DTypeOf<bool> : DTypeConstant<DType::boolean> {};
template <> struct DTypeOf<std::int8_t> : DTypeConstant<DType::i8> {};
template <> struct DTypeOf<std::int16_t> : DTypeConstant<DType::i16> {};
template <> struct DTypeOf<std::int32_t> : DTypeConstant<DType::i32> {};
template <> struct DTypeOf<std::int64_t> : DTypeConstant<DType::i64> {};
template <> struct DTypeOf<std::uint8_t> : DTypeConstant<DType::u8> {};
template <> struct DTypeOf<std::uint16_t> : DTypeConstant<DType::u16> {};
template <> struct DTypeOf<std::uint32_t> : DTypeConstant<DType::u32> {};
template <> struct DTypeOf<std::uint64_t> : DTypeConstant<DType::u64> {};
template <> struct DTypeOf<float> : DTypeConstant<DType::f32> {};
template <> struct DTypeOf<double> : DTypeConstant<DType::f64> {};
template <> struct DTypeOf<std::complex<float>> : DTypeConstant<DType::c64> {};
template <> struct DTypeOf<std::complex<double>> : DTypeConstant<DType::c128> {};
// clang-format on

// Where std::int64_t is long, long long is another type of the same kind.
template <typename T>
  requires(std::same_as<T, long long> && !std::same_as<T, std::int64_t>)
struct DTypeOf<T> : DTypeConstant<DType::i64> {};
template <typename T>
  requires(std::same_as<T, unsigned long long> && !std::same_as<T, std::uint64_t>)
struct DTypeOf<T> : DTypeConstant<DType::u64> {};

/// A C++ type that a tensor can be viewed as.
template <typename T>
concept Element = requires { DTypeOf<T>::value; };

template <Element T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

}  // namespace ckpt
