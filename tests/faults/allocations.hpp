// Allocations that fail: operator new, in the library and in all that it is linked with, and the library's
// aligned_alloc. What zstd takes with malloc is not struck.
#pragma once

#include <cstdint>

namespace ckpt::test {

/// While it lives, allocation `nth` fails, counted from 0 in all threads, and all later ones if `for_ever`. One at a
/// time.
class FailingAllocations {
 public:
  FailingAllocations(std::int64_t nth, bool for_ever);
  ~FailingAllocations();
  FailingAllocations(const FailingAllocations&) = delete;
  FailingAllocations& operator=(const FailingAllocations&) = delete;
};

/// Whether one failed since the last FailingAllocations was made.
bool allocation_failed();

/// Blocks from operator new that were not given back.
std::int64_t live_blocks();

}  // namespace ckpt::test
