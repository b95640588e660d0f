// The dimensions of a tensor.
#pragma once

#include <ckpt/limits.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <type_traits>

namespace ckpt {

/// Up to kMaxRank dimensions, in elements, outermost first (row-major). An empty shape is a scalar; a dimension may be
/// 0. A small value type without allocation.
class Shape {
 public:
  /// A number of any integer type, so that sizes of containers can be written as they are: `Shape{values.size()}`.
  struct Dim {
    /// Throws limit when the number does not fit in 63 bits.
    template <std::integral T>
      requires(sizeof(T) <= sizeof(std::int64_t))
    Dim(T number) : value{static_cast<std::int64_t>(number)} {  // NOLINT(google-explicit-constructor)
      if (std::is_unsigned_v<T> && value < 0) refuse(static_cast<std::uint64_t>(number));
    }
    std::int64_t value;

   private:
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
