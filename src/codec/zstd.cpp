#include "codec/zstd.hpp"

#include <ckpt/error.hpp>

// ZSTD_getFrameHeader tells the window before any memory is taken for it; Huffman codes at all levels have to be asked
// for.
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

#include <new>
#include <string>
#include <utility>

namespace ckpt::codec {
namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};

[[noreturn]] void fail(std::size_t result) {
  throw Error{ErrorCode::io, {.problem = std::string{"zstd failed: "} + ZSTD_getErrorName(result)}};
}

}  // namespace

struct ZstdCompressor::State {
  std::unique_ptr<ZSTD_CCtx, FreeContext> context;

  explicit State(int level) : context{ZSTD_createCCtx()} {
    if (!context) throw std::bad_alloc{};
    set(ZSTD_c_compressionLevel, level);
    // Left to itself, zstd does without Huffman codes at levels below 0; they are what gains here.
    set(ZSTD_c_literalCompressionMode, ZSTD_ps_enable);
  }

  void set(ZSTD_cParameter parameter, int value) const {
    const std::size_t result = ZSTD_CCtx_setParameter(context.get(), parameter, value);
    if (ZSTD_isError(result) != 0) fail(result);
  }
};

void require_zstd_level(int level) {
  if (level < -7 || level > ZSTD_maxCLevel()) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "unknown compression level",
                 .expected = "-7 to " + std::to_string(ZSTD_maxCLevel()),
                 .found = std::to_string(level)}};
  }
}

ZstdCompressor::ZstdCompressor(int level) {
  require_zstd_level(level);
  state_ = std::make_unique<State>(level);
}
ZstdCompressor::ZstdCompressor(std::unique_ptr<State> state) noexcept : state_{std::move(state)} {}
ZstdCompressor::~ZstdCompressor() = default;

// At the lowest level it hardly looks for matches: it steps over more than a block where it finds none.
ZstdCompressor ZstdCompressor::entropy_only() { return ZstdCompressor{std::make_unique<State>(ZSTD_minCLevel())}; }

std::size_t ZstdCompressor::compress(std::span<const std::byte> data, std::span<std::byte> destination) {
  const std::size_t size =
      ZSTD_compress2(state_->context.get(), destination.data(), destination.size(), data.data(), data.size());
  if (ZSTD_isError(size) == 0) return size;
  if (ZSTD_getErrorCode(size) == ZSTD_error_dstSize_tooSmall) return 0;
  if (ZSTD_getErrorCode(size) == ZSTD_error_memory_allocation) throw std::bad_alloc{};
  fail(size);
}

const char* zstd_frame_problem(std::span<const std::byte> frame, std::size_t content_size, std::size_t largest_window) {
  ZSTD_frameHeader header{};
  if (ZSTD_getFrameHeader(&header, frame.data(), frame.size()) != 0) return "no zstd frame header";
  if (header.frameType != ZSTD_frame) return "a skippable zstd frame";
  if (header.frameContentSize != content_size) return "the zstd frame declares another content size";
  if (header.dictID != 0) return "the zstd frame needs a dictionary";
  if (header.windowSize > largest_window) {
    return "the zstd frame asks for too large a window";
  }
  const std::size_t size = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(size) != 0) return "the zstd frame is cut off or damaged";
  if (size != frame.size()) return "bytes follow the zstd frame";
  return nullptr;
}

const char* zstd_decompress(std::span<const std::byte> frame, std::span<std::byte> destination,
                            std::size_t largest_window) {
  if (const char* reason = zstd_frame_problem(frame, destination.size(), largest_window)) return reason;
  thread_local std::unique_ptr<ZSTD_DCtx, FreeContext> context;
  if (!context) context.reset(ZSTD_createDCtx());
  if (!context) throw std::bad_alloc{};
  const std::size_t size =
      ZSTD_decompressDCtx(context.get(), destination.data(), destination.size(), frame.data(), frame.size());
  return size == destination.size() ? nullptr : "the zstd frame is damaged";  // an error is no size that fits
}

}  // namespace ckpt::codec
