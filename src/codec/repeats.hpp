// A quick look for repetitions, which spares most planes the search for them.
#pragma once

#include <cstddef>
#include <span>

namespace ckpt::codec {

/// About how many places in `data` begin `length` bytes that came before, as far as a small table remembers: of every
/// four places one is looked up, and counts as four. `length` is 4 to 16. Ends when there are more than `enough`.
std::size_t count_repeats(std::span<const std::byte> data, std::size_t length, std::size_t enough) noexcept;

}  // namespace ckpt::codec
