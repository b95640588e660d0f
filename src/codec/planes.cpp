#include "codec/planes.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace ckpt::codec {
namespace {

// Plain loops that compilers turn into vector instructions; they need to know that the planes do not overlap the data.

template <typename Word, bool kRotated>
Word word_at(const std::byte* place) noexcept {
  Word word;
  std::memcpy(&word, place, sizeof word);
  return kRotated ? std::rotl(word, 1) : word;
}

// Even and odd bytes.
template <bool kRotated>
void halve(const std::byte* __restrict data, std::byte* __restrict even, std::byte* __restrict odd,
           std::size_t pairs) noexcept {
  for (std::size_t i = 0; i < pairs; ++i) {
    const auto pair = word_at<std::uint16_t, kRotated>(data + 2 * i);
    even[i] = static_cast<std::byte>(pair);
    odd[i] = static_cast<std::byte>(pair >> 8);
  }
}

constexpr std::size_t kBlockBytes = 4096;  // with what is made of it, it fits into the nearest cache

// Byte j of each element goes to planes[j * kStep]; all together have kBlockBytes / kStep bytes at most. To halve and
// halve again takes fewer instructions than to pick one byte of each element: with 8 bytes, and with 4 that come from
// memory, a third of the time of SSE2 code.
template <std::size_t kWidth, std::size_t kStep = 1>
void take_apart(const std::byte* elements, std::byte* const* planes, std::size_t count) noexcept {
  if constexpr (kWidth == 2) {
    halve<false>(elements, planes[0], planes[kStep], count);
  } else {
    std::array<std::byte, kBlockBytes / kStep / 2> even;
    std::array<std::byte, kBlockBytes / kStep / 2> odd;
    halve<false>(elements, even.data(), odd.data(), count * kWidth / 2);
    take_apart<kWidth / 2, 2 * kStep>(even.data(), planes, count);
    take_apart<kWidth / 2, 2 * kStep>(odd.data(), planes + kStep, count);
  }
}

template <typename Word, bool kRotated>
void split(const std::byte* data, PlanePlaces planes, std::size_t count) noexcept {
  constexpr std::size_t kWidth = sizeof(Word);
  if constexpr (kWidth == 1) {
    std::byte* __restrict plane = planes[0];
    for (std::size_t i = 0; i < count; ++i) plane[i] = static_cast<std::byte>(word_at<Word, kRotated>(data + i));
  } else if constexpr (kWidth == 2) {
    halve<kRotated>(data, planes[0], planes[1], count);
  } else {
    std::array<Word, kBlockBytes / kWidth> block;
    while (count > 0) {
      const std::size_t part = std::min(count, block.size());
      for (std::size_t i = 0; i < part; ++i) block[i] = word_at<Word, kRotated>(data + i * kWidth);
      take_apart<kWidth>(reinterpret_cast<const std::byte*>(block.data()), planes.data(), part);
      for (std::size_t j = 0; j < kWidth; ++j) planes[j] += part;
      data += part * kWidth;
      count -= part;
    }
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

void split_planes(std::span<const std::byte> data, PlaneLayout layout, const PlanePlaces& planes) noexcept {
  with_layout(layout, [&]<typename Word, bool kRotated>(Word, std::bool_constant<kRotated>) {
    split<Word, kRotated>(data.data(), planes, data.size() / sizeof(Word));
  });
}

void join_planes(const Planes& planes, PlaneLayout layout, std::span<std::byte> data) noexcept {
  with_layout(layout, [&]<typename Word, bool kRotated>(Word, std::bool_constant<kRotated>) {
    join<Word, kRotated>(planes, data.data(), data.size() / sizeof(Word));
  });
}

}  // namespace ckpt::codec
