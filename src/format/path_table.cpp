#include "format/path_table.hpp"

#include <bit>

namespace ckpt::format {

std::uint64_t PathTable::size_for(std::uint64_t tensors) noexcept {
  constexpr std::uint64_t kFew = 64;
  return tensors <= kFew ? 0 : std::bit_ceil(tensors + tensors / 3 + 1);
}

std::size_t PathTable::add(std::uint64_t hash) {
  if (slots_.empty()) return 0;
  const Start start = start_of(hash, slots_.size());
  std::size_t passed = 0;
  std::size_t slot = start.slot;
  for (; slots_[slot].tensor != kNone; slot = (slot + 1) % slots_.size()) ++passed;
  slots_[slot] = {start.tag, count_++};
  return passed;
}

}  // namespace ckpt::format
