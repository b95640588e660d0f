// Candidate codings, made of zstd and loops alone: what the library's coding was chosen from.
#define ZSTD_STATIC_LINKING_ONLY  // Huffman codes at negative levels
#include "weights.hpp"

#include <zstd.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace ckpt::bench {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20U;
constexpr std::size_t kRounds = 5;

template <typename Word>
void split(const std::byte* __restrict data, std::byte* __restrict planes, std::size_t count, bool rotated) {
  const int turn = rotated ? 1 : 0;
  for (std::size_t i = 0; i < count; ++i) {
    Word word;
    std::memcpy(&word, data + i * sizeof word, sizeof word);
    word = std::rotl(word, turn);
    for (std::size_t j = 0; j < sizeof word; ++j) planes[j * count + i] = static_cast<std::byte>(word >> (8 * j));
  }
}

template <typename Word>
void join(const std::byte* __restrict planes, std::byte* __restrict data, std::size_t count, bool rotated) {
  const int turn = rotated ? 1 : 0;
  for (std::size_t i = 0; i < count; ++i) {
    Word word = 0;
    for (std::size_t j = 0; j < sizeof word; ++j) {
      word = static_cast<Word>(word | static_cast<Word>(std::to_integer<Word>(planes[j * count + i]) << (8 * j)));
    }
    word = std::rotr(word, turn);
    std::memcpy(data + i * sizeof word, &word, sizeof word);
  }
}

std::size_t checked(std::size_t result) {
  if (ZSTD_isError(result) != 0) throw std::runtime_error{ZSTD_getErrorName(result)};
  return result;
}

class Coder {
 public:
  Coder(const Coding& coding, std::size_t width) : coding_{coding}, width_{width} {
    checked(ZSTD_CCtx_setParameter(in_.get(), ZSTD_c_compressionLevel, coding.level));
    if (coding.planes) checked(ZSTD_CCtx_setParameter(in_.get(), ZSTD_c_literalCompressionMode, ZSTD_ps_enable));
  }

  std::size_t compress(std::span<const std::byte> chunk) {
    size_ = chunk.size();
    const std::byte* from = chunk.data();
    if (coding_.planes || coding_.shuffled) {
      width_ == 2 ? split<std::uint16_t>(from, planes_.data(), size_ / 2, coding_.rotated)
                  : split<std::uint32_t>(from, planes_.data(), size_ / 4, coding_.rotated);
      from = planes_.data();
    }
    const std::size_t parts = coding_.planes ? width_ : 1;
    std::size_t end = 0;
    sizes_.clear();
    for (std::size_t i = 0; i < parts; ++i) {
      const std::size_t part = size_ / parts;
      std::size_t taken =
          checked(ZSTD_compress2(in_.get(), stored_.data() + end, stored_.size() - end, from + i * part, part));
      if (taken >= part) {
        std::memcpy(stored_.data() + end, from + i * part, part);
        taken = part;
      }
      sizes_.push_back(taken);
      end += taken;
    }
    return end;
  }

  void decompress(std::span<std::byte> chunk) {
    const bool splits = coding_.planes || coding_.shuffled;
    std::byte* to = splits ? planes_.data() : chunk.data();
    const std::byte* from = stored_.data();
    for (const std::size_t taken : sizes_) {
      const std::size_t part = size_ / sizes_.size();
      if (taken == part) {
        std::memcpy(to, from, part);
      } else {
        checked(ZSTD_decompressDCtx(out_.get(), to, part, from, taken));
      }
      to += part;
      from += taken;
    }
    if (!splits) return;
    width_ == 2 ? join<std::uint16_t>(planes_.data(), chunk.data(), size_ / 2, coding_.rotated)
                : join<std::uint32_t>(planes_.data(), chunk.data(), size_ / 4, coding_.rotated);
  }

 private:
  const Coding& coding_;
  const std::size_t width_;
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> in_{ZSTD_createCCtx(), ZSTD_freeCCtx};
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> out_{ZSTD_createDCtx(), ZSTD_freeDCtx};
  std::vector<std::byte> planes_ = std::vector<std::byte>(kChunk);
  std::vector<std::byte> stored_ = std::vector<std::byte>(2 * kChunk);
  std::vector<std::size_t> sizes_;
  std::size_t size_ = 0;
};

}  // namespace

Speed measure(const Weights& weights, const Coding& coding) {
  Coder coder{coding, weights.width};
  std::vector<std::byte> back(kChunk);
  std::vector<Stopwatch> in(kRounds);
  std::vector<Stopwatch> out(kRounds);
  std::size_t stored = 0;
  for (std::size_t round = 0; round < kRounds; ++round) {
    stored = 0;
    for (const auto& tensor : weights.tensors) {
      for (std::size_t at = 0; at < tensor.size(); at += kChunk) {
        const auto chunk = std::span{tensor}.subspan(at, std::min(kChunk, tensor.size() - at));
        const auto target = std::span{back}.first(chunk.size());
        in[round].start();
        stored += coder.compress(chunk);
        in[round].stop();
        out[round].start();
        coder.decompress(target);
        out[round].stop();
        if (!std::ranges::equal(target, chunk)) throw std::runtime_error{coding.name};
      }
    }
  }
  return speed_of(weights.bytes, stored, in, out);
}

}  // namespace ckpt::bench
