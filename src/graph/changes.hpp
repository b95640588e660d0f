// How often objects have changed.
#pragma once

#include <cstdint>

namespace ckpt::graph {

/// To be called when an object gets or loses a child or a slot, or is destroyed. Thread-safe.
void note_change() noexcept;

/// While it stays the same, every object reaches what it has reached, and no node was freed. One count for all threads,
/// because a hook may hand its work to others and wait for them; so changes of objects of another checkpoint count.
std::uint64_t changes() noexcept;

}  // namespace ckpt::graph
