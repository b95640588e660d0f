// A quick look for repetitions, which spares most planes the search for them.
#pragma once

#include <cstddef>
#include <span>

namespace ckpt::codec {

/// Whether some `wanted` places in `data`, and one at least, begin `length` bytes that came before, as far as a small
/// table remembers: a guess from every fourth place. `length` is 4 to 16.
bool has_repeats(std::span<const std::byte> data, std::size_t length, std::size_t wanted) noexcept;

}  // namespace ckpt::codec
