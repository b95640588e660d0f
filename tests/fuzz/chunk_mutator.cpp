// Changes compressed chunks: the size that the index promised, header, table and planes by libFuzzer's own ways, and
// planes anew: stored, or compressed by zstd in several ways, so that the fuzzer gets past what zstd itself checks.
#include "fuzz.hpp"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

namespace {

constexpr std::size_t kPrefix = 3;  // the promised size
constexpr std::size_t kHeader = 4;
constexpr std::size_t kMostContent = 1U << 15U;

std::vector<std::uint8_t> plane(std::size_t size, std::minstd_rand& random) {
  std::vector<std::uint8_t> bytes(size);
  const unsigned alphabet = 1U + random() % 8U;  // few different values, so that zstd shrinks them
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random() % alphabet * 31U);
  return bytes;
}

// At times a frame with what a chunk may not have: no size, another size, a checksum, a second frame.
std::vector<std::uint8_t> frame(const std::vector<std::uint8_t>& content, std::minstd_rand& random) {
  std::vector<std::uint8_t> out(ZSTD_compressBound(content.size()) + 64);
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, random() % 8 == 0 ? 0 : 1);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, random() % 2 == 0 ? 0 : 1);
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, static_cast<int>(random() % 6) - 2);
  const std::size_t size = content.size() - (random() % 16 == 0 ? std::min<std::size_t>(1, content.size()) : 0);
  out.resize(ZSTD_compress2(context, out.data(), out.size(), content.data(), size));
  ZSTD_freeCCtx(context);
  if (random() % 16 == 0) out.insert(out.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(out.size()));
  return out;
}

std::vector<std::uint8_t> chunk(std::minstd_rand& random) {
  const std::size_t width = std::size_t{1} << random() % 4U;
  const std::size_t size = random() % (kMostContent / width / (random() % 64U + 1U)) + 1;
  const std::size_t content = size * width + (random() % 16 == 0 ? 1 : 0);
  std::vector<std::uint8_t> out{static_cast<std::uint8_t>(content),
                                static_cast<std::uint8_t>(content >> 8U),
                                static_cast<std::uint8_t>(content >> 16U),
                                static_cast<std::uint8_t>(width),
                                static_cast<std::uint8_t>(random() % 2),
                                0,
                                0};
  out.resize(kPrefix + kHeader + 4 * width);
  for (std::size_t i = 0; i < width; ++i) {
    const std::vector<std::uint8_t> raw = plane(size, random);
    const std::vector<std::uint8_t> stored = random() % 4 == 0 ? raw : frame(raw, random);
    const auto stored_size = static_cast<std::uint32_t>(stored.size());
    std::memcpy(out.data() + kPrefix + kHeader + 4 * i, &stored_size, sizeof stored_size);
    out.insert(out.end(), stored.begin(), stored.end());
  }
  return out;
}

}  // namespace

std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  std::minstd_rand random{seed};
  if (random() % 4 != 0) return LLVMFuzzerMutate(data, size, most);
  const std::vector<std::uint8_t> made = chunk(random);
  const std::size_t fits = std::min(made.size(), most);
  std::memcpy(data, made.data(), fits);
  return fits;
}
