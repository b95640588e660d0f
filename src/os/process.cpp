#include "os/process.hpp"

#include <sched.h>
#include <unistd.h>

namespace ckpt::os {

int process_id() noexcept { return ::getpid(); }

void run_as_batch() noexcept {
  constexpr sched_param kNoPriority{};
  ::sched_setscheduler(0, SCHED_BATCH, &kNoPriority);  // 0: this thread
}

}  // namespace ckpt::os
