// Compressing chunks on several threads, and writing them in their order.
#pragma once

#include "base/parallel.hpp"
#include "codec/chunk.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ckpt::io {

/// A compressed chunk and the sum of what is stored of it.
struct EncodedChunk {
  std::span<const std::byte> stored;
  std::uint64_t sum = 0;
};

/// Takes chunks in any order, and hands them on in that of their numbers, which start with 0.
class InOrder {
 public:
  using Consume = std::function<void(std::size_t, const EncodedChunk&)>;

  /// `consume` is called by one thread at a time. At most `most_kept` bytes of chunks are kept until it is their turn.
  InOrder(std::size_t most_kept, Consume consume) : most_kept_{most_kept}, consume_{std::move(consume)} {}

  /// Hands the chunk on, with those that waited for it, or keeps a copy; waits while there is no room for it.
  /// Throws what `consume` throws. Does nothing after fail().
  void deliver(std::size_t number, const EncodedChunk& chunk);

  /// A chunk will never come: nobody need wait any longer.
  void fail() noexcept;

 private:
  struct Kept {
    std::vector<std::byte> stored;
    std::uint64_t sum = 0;
  };

  void take_turns(std::size_t number, EncodedChunk chunk, std::unique_lock<std::mutex>& lock);

  const std::size_t most_kept_;
  const Consume consume_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<std::size_t, Kept> kept_;
  std::size_t kept_bytes_ = 0;
  std::size_t next_ = 0;
  bool failed_ = false;
};

/// Calls `encode(i, encoder)` for each number below `count` on one thread per encoder, and `consume(i, chunk)` with
/// what that returned, in order and by one thread at a time. Chunks of at most `most_kept` bytes in all wait for
/// others. Throws what one of them threw.
template <typename Encode>
void compress_in_order(std::size_t count, std::span<codec::ChunkEncoder> encoders, std::size_t most_kept,
                       const Encode& encode, InOrder::Consume consume) {
  InOrder output{most_kept, std::move(consume)};
  std::atomic<std::size_t> next_encoder = 0;
  base::deal_out(count, static_cast<unsigned>(encoders.size()), [&] {
    return [&, &encoder = encoders[next_encoder++]](std::size_t i) {
      try {
        output.deliver(i, encode(i, encoder));
      } catch (...) {
        output.fail();
        throw;
      }
    };
  });
}

}  // namespace ckpt::io
