#include "codec/planes.hpp"

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace ckpt::codec {
namespace {

// Plain loops that compilers turn into vector instructions; they need to know that the planes do not overlap the data.
template <typename Word, bool kRotated>
void split(const std::byte* __restrict data, std::byte* __restrict planes, std::size_t count) noexcept {
  constexpr std::size_t kWidth = sizeof(Word);
  std::array<std::byte*, kWidth> plane;
  for (std::size_t j = 0; j < kWidth; ++j) plane[j] = planes + j * count;
  for (std::size_t i = 0; i < count; ++i) {
    Word word;
    std::memcpy(&word, data + i * kWidth, kWidth);
    if constexpr (kRotated) word = std::rotl(word, 1);
    for (std::size_t j = 0; j < kWidth; ++j) plane[j][i] = static_cast<std::byte>(word >> (8 * j));
  }
}

template <typename Word, bool kRotated>
void join(const Planes& planes, std::byte* __restrict data, std::size_t count) noexcept {
  constexpr std::size_t kWidth = sizeof(Word);
  const Planes plane = planes;  // a copy, which `data` cannot be a part of
  for (std::size_t i = 0; i < count; ++i) {
    Word word = 0;
    for (std::size_t j = 0; j < kWidth; ++j) {
      word = static_cast<Word>(word | static_cast<Word>(std::to_integer<Word>(plane[j][i]) << (8 * j)));
    }
    if constexpr (kRotated) word = std::rotr(word, 1);
    std::memcpy(data + i * kWidth, &word, kWidth);
  }
}

// Calls `action` with a word of the layout's width and whether it is rotated, both known to the compiler.
template <typename Action>
void with_layout(PlaneLayout layout, const Action& action) noexcept {
  const auto with_word = [&]<typename Word>(Word word) {
    return layout.rotated ? action(word, std::true_type{}) : action(word, std::false_type{});
  };
  switch (layout.width) {
    case 2:
      return with_word(std::uint16_t{});
    case 4:
      return with_word(std::uint32_t{});
    case 8:
      return with_word(std::uint64_t{});
    default:
      return with_word(std::uint8_t{});
  }
}

}  // namespace

PlaneLayout plane_layout(DType dtype) noexcept {
  switch (dtype) {
    case DType::f16:
    case DType::bf16:
      return {.width = 2, .rotated = true};
    case DType::f32:
    case DType::c64:
      return {.width = 4, .rotated = true};
    case DType::f64:
    case DType::c128:
      return {.width = 8, .rotated = true};
    case DType::i16:
    case DType::u16:
      return {.width = 2, .rotated = false};
    case DType::i32:
    case DType::u32:
      return {.width = 4, .rotated = false};
    case DType::i64:
    case DType::u64:
      return {.width = 8, .rotated = false};
    default:
      return {.width = 1, .rotated = false};
  }
}

void split_planes(std::span<const std::byte> data, PlaneLayout layout, std::span<std::byte> planes) noexcept {
  with_layout(layout, [&]<typename Word, bool kRotated>(Word, std::bool_constant<kRotated>) {
    split<Word, kRotated>(data.data(), planes.data(), data.size() / sizeof(Word));
  });
}

void join_planes(const Planes& planes, PlaneLayout layout, std::span<std::byte> data) noexcept {
  with_layout(layout, [&]<typename Word, bool kRotated>(Word, std::bool_constant<kRotated>) {
    join<Word, kRotated>(planes, data.data(), data.size() / sizeof(Word));
  });
}

}  // namespace ckpt::codec
