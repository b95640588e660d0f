// The dimensions of a tensor.
#pragma once

#include <ckpt/limits.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <type_traits>

namespace ckpt {

/// Whether a T converts by itself to `Integer`, which has all of its values. A floating point number does not.
template <typename T, typename Integer>
concept WidensTo = requires(const T& number) { std::type_identity_t<Integer[]>{number}; };

template <typename T>
concept Character = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
                    std::same_as<T, char16_t> || std::same_as<T, char32_t>;

/// What may be a dimension of a Shape: integers of any type, unscoped enums, and classes that convert to an integer,
/// such as std::integral_constant. No bool and no character: these are mistakes.
template <typename T>
concept Dimension =
    (WidensTo<T, std::int64_t> || WidensTo<T, std::uint64_t>) && !std::same_as<T, bool> && !Character<T>;

/// Up to kMaxRank dimensions, in elements, outermost first (row-major). An empty shape is a scalar; a dimension may be
/// 0. A small value type without allocation.
class Shape {
 public:
  /// So that sizes of containers can be written as they are: `Shape{values.size()}`.
  struct Dim {
    /// Throws limit when the number does not fit in 63 bits.
    template <Dimension T>
      requires(!std::is_class_v<T>)
    Dim(T number) : value{in_63_bits(number)} {}  // NOLINT(google-explicit-constructor)
    template <Dimension T>
      requires std::is_class_v<T>
    Dim(const T& number) : value{in_63_bits(number)} {}  // NOLINT(google-explicit-constructor)

    std::int64_t value;

   private:
    template <typename T>
    static std::int64_t in_63_bits(const T& number) {
      if constexpr (WidensTo<T, std::int64_t>) {
        return number;
      } else {
        const std::uint64_t unsigned_number = number;
        if (unsigned_number > std::numeric_limits<std::int64_t>::max()) refuse(unsigned_number);
        return static_cast<std::int64_t>(unsigned_number);
      }
    }
    [[noreturn]] static void refuse(std::uint64_t number);
  };

  Shape() = default;
  /// Throws invalid_argument for a negative dimension, limit for more than kMaxRank of them or when their product
  /// (zeros left out) does not fit in 63 bits.
  Shape(std::initializer_list<Dim> dims);
  explicit Shape(std::span<const std::int64_t> dims);

  std::size_t rank() const noexcept { return rank_; }
  std::int64_t operator[](std::size_t axis) const noexcept { return dims_[axis]; }
  std::span<const std::int64_t> dims() const noexcept { return {dims_.data(), rank_}; }
  const std::int64_t* begin() const noexcept { return dims_.data(); }
  const std::int64_t* end() const noexcept { return dims_.data() + rank_; }

  /// Product of the dimensions; 1 for a scalar.
  std::int64_t elements() const noexcept {
    std::int64_t product = 1;
    for (const std::int64_t dim : dims()) product *= dim;
    return product;
  }

  friend bool operator==(const Shape& a, const Shape& b) noexcept;

 private:
  void check() const;

  std::array<std::int64_t, kMaxRank> dims_{};
  std::size_t rank_ = 0;
};

/// "[2, 3]"; "[]" for a scalar.
std::string to_string(const Shape& shape);

}  // namespace ckpt
