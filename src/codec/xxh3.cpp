#include "codec/xxh3.hpp"

// The state has to be visible for it to be a member.
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>
#ifdef CKPT_XXHASH_CHOOSES
#include <xxh_x86dispatch.h>
#endif

namespace ckpt::codec {

struct Xxh3Stream::State {
  XXH3_state_t xxh3;
};

std::uint64_t xxh3(std::span<const std::byte> data, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(data.data(), data.size(), seed);
}

Xxh3Stream::Xxh3Stream() : state_{std::make_unique<State>()} { reset(0); }
Xxh3Stream::~Xxh3Stream() = default;

void Xxh3Stream::reset(std::uint64_t seed) noexcept { XXH3_64bits_reset_withSeed(&state_->xxh3, seed); }

void Xxh3Stream::update(std::span<const std::byte> data) noexcept {
  XXH3_64bits_update(&state_->xxh3, data.data(), data.size());
}

std::uint64_t Xxh3Stream::digest() const noexcept { return XXH3_64bits_digest(&state_->xxh3); }

}  // namespace ckpt::codec
