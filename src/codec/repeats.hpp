// A quick look for repetitions, which spares most planes the search for them.
#pragma once

#include <cstddef>
#include <span>

namespace ckpt::codec {

/// Whether more than a 32nd of the places in `data` begin `length` bytes that came before, as far as a small table
/// remembers. `length` is 4 to 16.
bool has_repeats(std::span<const std::byte> data, std::size_t length) noexcept;

}  // namespace ckpt::codec
