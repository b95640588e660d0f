// The table that finds a tensor by the hash of its path.
#pragma once

#include "format/hash.hpp"
#include "format/layout.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
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

  /// Where a path is looked for first, and the tag that tells most other paths apart.
  struct Start {
    std::uint32_t slot;
    std::uint32_t tag;
  };

  /// Slots for that many tensors: none for so few that their records fill a page, else a power of two of which at most
  /// three quarters are used.
  static std::uint64_t size_for(std::uint64_t tensors) noexcept;

  /// `size` is that of a table that is not empty.
  static Start start_of(std::string_view path, std::uint64_t size, Hash hash) noexcept;

  PathTable(std::uint64_t tensors, Hash hash);

  /// Adds the next tensor. Returns how many slots it had to pass.
  std::size_t add(std::string_view path);

  std::span<const Slot> slots() const noexcept { return slots_; }

 private:
  Hash hash_;
  std::vector<Slot> slots_;
  std::uint32_t count_ = 0;
};

}  // namespace ckpt::format
