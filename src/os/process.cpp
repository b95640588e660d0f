#include "os/process.hpp"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>

namespace ckpt::os {
namespace {

std::atomic<unsigned> depth = 0;

[[maybe_unused]] const int kRegistered = ::pthread_atfork(nullptr, nullptr, [] { ++depth; });

}  // namespace

int process_id() noexcept { return ::getpid(); }

unsigned fork_depth() noexcept { return depth.load(std::memory_order_relaxed); }

void run_as_batch() noexcept {
  if (::sched_getscheduler(0) != SCHED_OTHER) return;  // 0: this thread
  constexpr sched_param kNoPriority{};
  ::sched_setscheduler(0, SCHED_BATCH, &kNoPriority);
}

}  // namespace ckpt::os
