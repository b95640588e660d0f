#include "allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::int64_t> live{0};
std::atomic<std::int64_t> seen{0};
std::atomic<std::int64_t> first{-1};  // that fails; negative: none does
std::atomic<bool> all_later{false};
std::atomic<bool> fired{false};

bool strikes() {
  const std::int64_t begin = first.load();
  if (begin < 0) return false;
  const std::int64_t number = seen.fetch_add(1);
  if (number != begin && (number < begin || !all_later)) return false;
  fired = true;
  return true;
}

[[gnu::noinline]] void* take(std::size_t size) noexcept {
  if (strikes()) return nullptr;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory != nullptr) ++live;
  return memory;
}

[[gnu::noinline]] void give(void* memory) noexcept {
  if (memory == nullptr) return;
  --live;
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) {
  if (void* memory = take(size)) return memory;
  throw std::bad_alloc{};
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return take(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return take(size); }
// GCC takes free() in what it has put inline for a mistake.
void operator delete(void* memory) noexcept { give(memory); }
void operator delete[](void* memory) noexcept { give(memory); }
void operator delete(void* memory, std::size_t) noexcept { give(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { give(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { give(memory); }

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" void* __real_aligned_alloc(std::size_t, std::size_t);
extern "C" void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size) {
  return strikes() ? nullptr : __real_aligned_alloc(alignment, size);
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace ckpt::test {

FailingAllocations::FailingAllocations(std::int64_t nth, bool for_ever) {
  seen = 0;
  fired = false;
  all_later = for_ever;
  first = nth;
}
FailingAllocations::~FailingAllocations() { first = -1; }

bool allocation_failed() { return fired; }

std::int64_t live_blocks() { return live; }

}  // namespace ckpt::test
