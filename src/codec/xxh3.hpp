// XXH3-64, the checksum of the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace ckpt::codec {

/// The sum of `data`.
std::uint64_t xxh3(std::span<const std::byte> data, std::uint64_t seed = 0) noexcept;

/// The same sum over data that comes in pieces.
class Xxh3Stream {
 public:
  Xxh3Stream();
  ~Xxh3Stream();
  Xxh3Stream(const Xxh3Stream&) = delete;
  Xxh3Stream& operator=(const Xxh3Stream&) = delete;

  void reset(std::uint64_t seed) noexcept;
  void update(std::span<const std::byte> data) noexcept;
  std::uint64_t digest() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ckpt::codec
