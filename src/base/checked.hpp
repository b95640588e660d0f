// Arithmetic on numbers that came from a file: every addition, multiplication and rounding is checked, so that none can
// wrap.
#pragma once

#include <cstdint>
#include <optional>

namespace ckpt::base {

/// A number that remembers whether a step on the way to it overflowed 64 bits. Once it has, it stays invalid.
class Checked {
 public:
  constexpr Checked(std::uint64_t value) noexcept
      : value_{value}, valid_{true} {}  // NOLINT(google-explicit-constructor)

  constexpr bool valid() const noexcept { return valid_; }
  /// The number. Ask valid() first: 0 for an invalid one.
  constexpr std::uint64_t value() const noexcept { return valid_ ? value_ : 0; }
  constexpr std::optional<std::uint64_t> get() const noexcept { return valid_ ? std::optional{value_} : std::nullopt; }

  friend constexpr Checked operator+(Checked a, Checked b) noexcept {
    std::uint64_t sum = 0;
    const bool wrapped = __builtin_add_overflow(a.value_, b.value_, &sum);
    return {sum, a.valid_ && b.valid_ && !wrapped};
  }
  friend constexpr Checked operator*(Checked a, Checked b) noexcept {
    std::uint64_t product = 0;
    const bool wrapped = __builtin_mul_overflow(a.value_, b.value_, &product);
    return {product, a.valid_ && b.valid_ && !wrapped};
  }

  /// The next multiple of `alignment`, a power of two.
  constexpr Checked round_up(std::uint64_t alignment) const noexcept {
    const Checked sum = *this + (alignment - 1);
    return {sum.value_ & ~(alignment - 1), sum.valid_};
  }

  /// Whether this number is known and at most `limit`.
  constexpr bool fits(std::uint64_t limit) const noexcept { return valid_ && value_ <= limit; }

 private:
  constexpr Checked(std::uint64_t value, bool valid) noexcept : value_{value}, valid_{valid} {}

  std::uint64_t value_;
  bool valid_;
};

/// Whether [offset, offset + size) lies within [0, limit).
constexpr bool in_range(std::uint64_t offset, std::uint64_t size, std::uint64_t limit) noexcept {
  return (Checked{offset} + size).fits(limit);
}

constexpr bool is_power_of_two(std::uint64_t value) noexcept { return value != 0 && (value & (value - 1)) == 0; }

/// `amount` divided by `unit`, rounded up. Cannot overflow; `unit` must not be 0.
constexpr std::uint64_t divide_up(std::uint64_t amount, std::uint64_t unit) noexcept {
  return amount / unit + (amount % unit != 0 ? 1 : 0);
}

}  // namespace ckpt::base
