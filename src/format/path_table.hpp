// The table that finds a tensor by the hash of its path.
#pragma once

#include "format/layout.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ckpt::format {

/// Open addressing: a tensor has the slot that the hash of its path points to, or the next free one behind it. Tensors
/// are added in the order of their paths, so the same paths give the same table.
class PathTable {
 public:
  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t tensor = kNone;
    friend bool operator==(const Slot&, const Slot&) = default;
  };

  /// Where a path of some hash is looked for first, and the tag that tells most other paths apart.
  struct Start {
    std::uint32_t slot;
    std::uint32_t tag;
  };

  /// Slots for that many tensors: none for so few that their records fill a page, else a power of two of which at most
  /// three quarters are used.
  static std::uint64_t size_for(std::uint64_t tensors) noexcept;

  /// `size` is that of a table that is not empty.
  static Start start_of(std::uint64_t hash, std::uint64_t size) noexcept {
    return {static_cast<std::uint32_t>(hash & (size - 1)), static_cast<std::uint32_t>(hash >> 32U)};
  }

  explicit PathTable(std::uint64_t tensors) : slots_(static_cast<std::size_t>(size_for(tensors))) {}

  /// Adds the next tensor, whose path has that hash. Returns how many slots it had to pass.
  std::size_t add(std::uint64_t hash);

  std::span<const Slot> slots() const noexcept { return slots_; }

 private:
  std::vector<Slot> slots_;
  std::uint32_t count_ = 0;
};

}  // namespace ckpt::format
