// Copies of variables that are kept until they are written, in memory that one save leaves to the next.
#pragma once

#include "graph/snapshot.hpp"
#include "os/memory.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace ckpt::graph {

/// Bytes of staging memory that a copy of the snapshot's tensors takes.
std::uint64_t staged_bytes(const Snapshot& snapshot);

/// Copies the tensors into `memory` (of staged_bytes()) on up to `threads` threads. From then on the snapshot refers to
/// the copies and keeps the variables' memory no longer.
void copy_into(const os::Memory& memory, Snapshot& snapshot, unsigned threads);

/// Keeps pieces of memory between saves. Not synchronised.
class StagingPool {
 public:
  explicit StagingPool(std::optional<std::uint64_t> max_bytes) : max_bytes_{max_bytes} {}

  /// Throws limit when `bytes` would be too many even if nothing else were held.
  void require_possible(std::uint64_t bytes) const;

  /// A piece of at least that size, which stays the pool's; nullptr when the limit allows none until others are given
  /// back. Free pieces that are too small make room for it. Throws limit when the system has no memory.
  os::Memory* take(std::uint64_t bytes);
  void give_back(const os::Memory* memory) noexcept;

  /// Returns what is not taken to the system.
  void release() noexcept;

  /// All bytes held, those that are taken included.
  std::uint64_t bytes() const noexcept;

 private:
  struct Piece {
    std::unique_ptr<os::Memory> memory;
    bool taken;
  };
  bool has_room(std::uint64_t bytes_more) const noexcept;
  bool drop_free() noexcept;

  std::optional<std::uint64_t> max_bytes_;
  std::vector<Piece> pieces_;
};

}  // namespace ckpt::graph
