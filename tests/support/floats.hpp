// Numbers that are distributed as weights are: their exponents are alike, their mantissas are not.
#pragma once

#include <ckpt/metadata.hpp>

#include <cmath>
#include <cstddef>
#include <cstring>
#include <random>

namespace ckpt::test {

/// f32 of a normal distribution with the deviation 0.02; the same on every machine that rounds as IEEE 754 says. Bytes
/// that make no whole number at the end are zero.
inline Bytes normal_floats(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 generator{seed};
  Bytes bytes(size);
  for (std::size_t i = 0; i + sizeof(float) <= size; i += sizeof(float)) {
    double sum = -6;  // of twelve uniform numbers: normal enough
    for (int k = 0; k < 12; ++k) sum += static_cast<double>(generator() >> 11U) * 0x1p-53;
    const auto value = static_cast<float>(0.02 * sum);
    std::memcpy(bytes.data() + i, &value, sizeof value);
  }
  return bytes;
}

/// The upper halves of so many bytes' worth of f32.
inline Bytes normal_bf16(std::size_t size, std::uint64_t seed) {
  const Bytes floats = normal_floats(size / 2 * sizeof(float), seed);
  Bytes bytes(size);
  for (std::size_t i = 0; i + 2 <= size; i += 2) std::memcpy(bytes.data() + i, floats.data() + 2 * i + 2, 2);
  return bytes;
}

}  // namespace ckpt::test
