#include "codec/repeats.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

namespace ckpt::codec {
namespace {

// Up to 16 bytes as two words, which overlap when there are fewer.
struct Text {
  std::uint64_t first;
  std::uint64_t last;
  bool operator==(const Text&) const = default;
};

template <typename Word>
Text text_at(const std::byte* begin, std::size_t length) noexcept {
  Word first;
  Word last;
  std::memcpy(&first, begin, sizeof first);
  std::memcpy(&last, begin + length - sizeof last, sizeof last);
  return {first, last};
}

constexpr unsigned kTableBits = 13;

std::size_t index_of(const Text& text) noexcept {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;  // 2^64 by the golden ratio: spreads over the high bits
  return ((text.first * kOdd) ^ text.last) * kOdd >> (64 - kTableBits);
}

constexpr std::size_t kStep = 4;  // one of so many places is looked up; all are remembered, so any distance is found

template <typename Word>
std::size_t count_repeats_of(std::span<const std::byte> data, std::size_t length, std::size_t enough) noexcept {
  std::array<std::uint32_t, std::size_t{1} << kTableBits> last_place{};
  const std::size_t end = data.size() - length + 1;
  std::size_t found = 0;
  std::size_t next_of_last = end;  // where the last repetition goes on; the table may have forgotten that place
  for (std::size_t i = 0; i + kStep <= end && found <= enough; i += kStep) {
    const Text text = text_at<Word>(data.data() + i, length);
    const auto is_at = [&](std::size_t place) { return place < i && text_at<Word>(&data[place], length) == text; };
    std::size_t before = std::exchange(last_place[index_of(text)], static_cast<std::uint32_t>(i));
    for (std::size_t j = i + 1; j < i + kStep; ++j) {
      last_place[index_of(text_at<Word>(data.data() + j, length))] = static_cast<std::uint32_t>(j);
    }
    if (!is_at(before)) before = next_of_last;
    if (!is_at(before)) {
      next_of_last = end;
      continue;
    }
    found += kStep;
    next_of_last = before + kStep;
  }
  return found;
}

}  // namespace

std::size_t count_repeats(std::span<const std::byte> data, std::size_t length, std::size_t enough) noexcept {
  if (data.size() < length) return 0;
  return length < sizeof(std::uint64_t) ? count_repeats_of<std::uint32_t>(data, length, enough)
                                        : count_repeats_of<std::uint64_t>(data, length, enough);
}

}  // namespace ckpt::codec
