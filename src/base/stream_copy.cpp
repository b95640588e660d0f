#include "base/stream_copy.hpp"

#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace ckpt::base {

#ifdef __SSE2__
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kBlock = kStreamBlock;
static_assert(kBlock == 4 * kPage);

// `to` lies on 16 bytes, and so does `kept`, or is null.
template <bool keep>
void stream_line(std::byte* to, std::byte* kept, const std::byte* from) noexcept {
  __m128i words[4];
  for (std::size_t i = 0; i < 4; ++i) words[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from) + i);
  for (std::size_t i = 0; i < 4; ++i) _mm_stream_si128(reinterpret_cast<__m128i*>(to) + i, words[i]);
  for (std::size_t i = 0; keep && i < 4; ++i) _mm_store_si128(reinterpret_cast<__m128i*>(kept) + i, words[i]);
}

// Four pages at once keep more of the memory's banks busy than one; reading ahead has to be asked for, since the
// processor does it within a page only.
template <bool keep>
void stream_block(std::byte* to, std::byte* kept, const std::byte* from, std::size_t ahead) noexcept {
  for (std::size_t offset = 0; offset < kPage; offset += 2 * kLine) {
    for (std::size_t page = offset; page < kBlock; page += kPage) {
      _mm_prefetch(reinterpret_cast<const char*>(from + page + ahead), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(from + page + ahead + kLine), _MM_HINT_T0);
      for (std::size_t at = page; at < page + 2 * kLine; at += kLine) {
        stream_line<keep>(to + at, keep ? kept + at : nullptr, from + at);
      }
    }
  }
}

}  // namespace

void stream_copy(std::byte* to, const std::byte* from, std::size_t size) noexcept {
  if (const std::size_t odd = reinterpret_cast<std::uintptr_t>(to) % kLine; odd != 0 && size >= 2 * kBlock) {
    const std::size_t head = kLine - odd;
    std::memcpy(to, from, head);
    to += head;
    from += head;
    size -= head;
  }
  std::size_t done = 0;
  for (; size >= 2 * kBlock && size - done >= kBlock; done += kBlock) {
    stream_block<false>(to + done, nullptr, from + done, size - done >= 2 * kBlock ? kBlock : 0);
  }
  if (done > 0) _mm_sfence();  // before whoever is told that the copy is there
  if (done < size) std::memcpy(to + done, from + done, size - done);
}

void stream_copy_and_keep(std::byte* to, std::byte* kept, const std::byte* from, bool more) noexcept {
  stream_block<true>(to, kept, from, more ? kBlock : 0);
}

void finish_streams() noexcept { _mm_sfence(); }
#else
void stream_copy(std::byte* to, const std::byte* from, std::size_t size) noexcept {
  if (size > 0) std::memcpy(to, from, size);
}

void stream_copy_and_keep(std::byte* to, std::byte* kept, const std::byte* from, bool) noexcept {
  std::memcpy(kept, from, kStreamBlock);
  std::memcpy(to, kept, kStreamBlock);
}

void finish_streams() noexcept {}
#endif

}  // namespace ckpt::base
