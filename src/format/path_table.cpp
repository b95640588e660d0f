#include "format/path_table.hpp"

#include <bit>

namespace ckpt::format {

std::uint64_t PathTable::size_for(std::uint64_t tensors) noexcept {
  constexpr std::uint64_t kFew = 64;
  return tensors <= kFew ? 0 : std::bit_ceil(tensors + tensors / 3 + 1);
}

PathTable::Start PathTable::start_of(std::string_view path, std::uint64_t size, Hash hash) noexcept {
  const std::uint64_t value = hash(std::as_bytes(std::span{path}), 0);
  return {static_cast<std::uint32_t>(value & (size - 1)), static_cast<std::uint32_t>(value >> 32U)};
}

PathTable::PathTable(std::uint64_t tensors, Hash hash)
    : hash_{hash}, slots_(static_cast<std::size_t>(size_for(tensors))) {}

std::size_t PathTable::add(std::string_view path) {
  if (slots_.empty()) return 0;
  const Start start = start_of(path, slots_.size(), hash_);
  std::size_t passed = 0;
  std::size_t slot = start.slot;
  for (; slots_[slot].tensor != kNone; slot = (slot + 1) % slots_.size()) ++passed;
  slots_[slot] = {start.tag, count_++};
  return passed;
}

}  // namespace ckpt::format
