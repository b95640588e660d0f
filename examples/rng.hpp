// xoshiro256**, a small random generator whose whole state is four words: easy to keep in a checkpoint.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace example {

/// The standard library's distributions differ between implementations; these do not.
class Rng {
 public:
  using State = std::array<std::uint64_t, 4>;

  explicit Rng(const State& state) : state_{state} {}

  /// Spreads a seed over the state with splitmix64, as the authors of xoshiro advise.
  explicit Rng(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15U;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
      z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
      word = z ^ (z >> 31U);
    }
  }

  const State& state() const noexcept { return state_; }

  std::uint64_t next() noexcept {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17U;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// In [0, bound), each value equally likely; `bound` is not 0.
  std::uint64_t below(std::uint64_t bound) noexcept {
    const std::uint64_t rest = (0 - bound) % bound;  // 2^64 mod bound: values below it would be too frequent
    std::uint64_t value = next();
    while (value < rest) value = next();
    return value % bound;
  }

  /// In [-limit, limit).
  float symmetric(float limit) noexcept {
    const float unit = static_cast<float>(next() >> 40U) * 0x1p-24F;
    return (2.0F * unit - 1.0F) * limit;
  }

 private:
  State state_{};
};

/// 0 … size-1 in a random order (Fisher–Yates).
inline std::vector<std::uint32_t> shuffled(std::size_t size, Rng& rng) {
  std::vector<std::uint32_t> order(size);
  std::iota(order.begin(), order.end(), 0U);
  for (std::size_t i = size; i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
  return order;
}

}  // namespace example
