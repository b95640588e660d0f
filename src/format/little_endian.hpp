// Numbers as they lie in the file.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>

namespace ckpt::format {

static_assert(std::endian::native == std::endian::little,
              "checkpoint files are little-endian, and so must the machine be");

/// The number at `offset`; the caller has checked the bounds.
template <std::integral T>
T load(std::span<const std::byte> bytes, std::size_t offset) noexcept {
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

template <std::integral T>
void store(std::span<std::byte> bytes, std::size_t offset, T value) noexcept {
  std::memcpy(bytes.data() + offset, &value, sizeof(T));
}

}  // namespace ckpt::format
