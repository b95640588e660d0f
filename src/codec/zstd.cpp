#include "codec/zstd.hpp"

#include <ckpt/error.hpp>

// ZSTD_getFrameHeader tells the window before any memory is taken for it.
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include <algorithm>
#include <new>
#include <string>

namespace ckpt::codec {
namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};

}  // namespace

struct ZstdCompressor::State {
  std::unique_ptr<ZSTD_CCtx, FreeContext> context;
};

void require_zstd_level(int level) {
  if (level < -7 || level > ZSTD_maxCLevel()) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "unknown compression level",
                 .expected = "-7 to " + std::to_string(ZSTD_maxCLevel()),
                 .found = std::to_string(level)}};
  }
}

ZstdCompressor::ZstdCompressor(int level) : state_{std::make_unique<State>()} {
  require_zstd_level(level);
  state_->context.reset(ZSTD_createCCtx());
  if (!state_->context) throw std::bad_alloc{};
  ZSTD_CCtx_setParameter(state_->context.get(), ZSTD_c_compressionLevel, level);
}

ZstdCompressor::~ZstdCompressor() = default;

std::span<const std::byte> ZstdCompressor::compress(std::span<const std::byte> data) {
  frame_.resize(ZSTD_compressBound(data.size()));
  const std::size_t size =
      ZSTD_compress2(state_->context.get(), frame_.data(), frame_.size(), data.data(), data.size());
  if (ZSTD_isError(size) != 0) {
    throw Error{ErrorCode::io, {.problem = std::string{"zstd failed: "} + ZSTD_getErrorName(size)}};
  }
  return std::span{frame_}.first(size);
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
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context{ZSTD_createDCtx()};
  if (!context) throw std::bad_alloc{};
  const std::size_t size =
      ZSTD_decompressDCtx(context.get(), destination.data(), destination.size(), frame.data(), frame.size());
  if (ZSTD_isError(size) != 0) return "the zstd frame is damaged";
  return size == destination.size() ? nullptr : "the zstd frame holds too little";
}

}  // namespace ckpt::codec
