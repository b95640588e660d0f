#include "graph/cast.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace ckpt::graph {
namespace {

constexpr int kWideMantissaBits = 52;
constexpr int kWideBias = 1023;

// An IEEE format of 16 bits: sign, exponent, mantissa. By way of double, which holds all of its values, and back from
// there in one step, so that nothing is rounded twice.
template <int ExponentBits>
struct Half {
  static constexpr int kMantissaBits = 15 - ExponentBits;
  static constexpr int kBias = (1 << (ExponentBits - 1)) - 1;
  static constexpr std::uint64_t kExponentMask = (std::uint64_t{1} << ExponentBits) - 1;
  static constexpr std::uint64_t kInfinity = kExponentMask << kMantissaBits;
  static constexpr int kExtraBits = kWideMantissaBits - kMantissaBits;

  static double widen(std::uint16_t bits) {
    const std::uint64_t sign = std::uint64_t{bits} >> 15U << 63U;
    const std::uint64_t mantissa = bits & ((1U << kMantissaBits) - 1);
    const std::uint64_t exponent = bits >> kMantissaBits & kExponentMask;
    std::uint64_t magnitude = 0;
    if (exponent == kExponentMask) {
      magnitude = std::bit_cast<std::uint64_t>(std::numeric_limits<double>::infinity()) | mantissa << kExtraBits;
    } else if (exponent == 0) {
      constexpr std::uint64_t kSmallest = std::uint64_t{kWideBias + 1 - kBias - kMantissaBits} << kWideMantissaBits;
      magnitude = std::bit_cast<std::uint64_t>(static_cast<double>(mantissa) * std::bit_cast<double>(kSmallest));
    } else {
      magnitude = (exponent + (kWideBias - kBias)) << kWideMantissaBits | mantissa << kExtraBits;
    }
    return std::bit_cast<double>(sign | magnitude);
  }

  static std::uint16_t narrow(double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    const auto sign = static_cast<std::uint16_t>(bits >> 63U << 15U);
    if (std::isnan(value)) return static_cast<std::uint16_t>(sign | kInfinity | 1U << (kMantissaBits - 1));
    constexpr std::uint64_t kImplicit = std::uint64_t{1} << kWideMantissaBits;
    const std::uint64_t mantissa = bits & (kImplicit - 1);
    const int exponent = static_cast<int>(bits >> kWideMantissaBits & 0x7ff) - kWideBias + kBias;
    // A carry out of the mantissa goes into the exponent, where it belongs.
    const std::uint64_t rounded =
        exponent >= 1 ? round(static_cast<std::uint64_t>(exponent) << kWideMantissaBits | mantissa, kExtraBits)
                      : round(kImplicit | mantissa, kExtraBits + 1 - exponent);
    return static_cast<std::uint16_t>(sign | std::min(rounded, kInfinity));
  }

 private:
  // To the nearest multiple of 2^shift, ties to even, divided by it.
  static std::uint64_t round(std::uint64_t value, int shift) {
    if (shift > 60) return 0;  // what remains of a number this small is less than half a unit
    const std::uint64_t half = std::uint64_t{1} << (shift - 1);
    return (value + (half - 1) + (value >> shift & 1U)) >> shift;
  }
};

template <typename Number>
struct Native {
  static double widen(Number value) { return value; }
  static Number narrow(double value) { return static_cast<Number>(value); }
};

// Calls `use` with the storage type of an element and its conversions.
template <typename Use>
void with_format(DType dtype, const Use& use) {
  switch (dtype) {
    case DType::f16:
      return use(std::uint16_t{}, Half<5>{});
    case DType::bf16:
      return use(std::uint16_t{}, Half<8>{});
    case DType::f32:
      return use(float{}, Native<float>{});
    default:
      return use(double{}, Native<double>{});
  }
}

bool is_float(DType dtype) noexcept {
  return dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f32 || dtype == DType::f64;
}

}  // namespace

bool can_cast(DType from, DType to) noexcept { return is_float(from) && is_float(to); }

void cast(DType from, std::span<const std::byte> source, DType to, std::span<std::byte> destination) {
  with_format(from, [&]<typename From, typename FromFormat>(From element, FromFormat) {
    with_format(to, [&]<typename To, typename ToFormat>(To result, ToFormat) {
      const std::size_t count = source.size() / sizeof(From);
      for (std::size_t i = 0; i < count; ++i) {
        std::memcpy(&element, source.data() + i * sizeof(From), sizeof(From));
        result = ToFormat::narrow(FromFormat::widen(element));
        std::memcpy(destination.data() + i * sizeof(To), &result, sizeof(To));
      }
    });
  });
}

}  // namespace ckpt::graph
