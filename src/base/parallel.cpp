#include "base/parallel.hpp"

#include <sched.h>

namespace ckpt::base {

unsigned core_count() noexcept {
  cpu_set_t cores;
  const bool known = ::sched_getaffinity(0, sizeof cores, &cores) == 0;  // there may be more than it has room for
  return std::max(1U, known ? static_cast<unsigned>(CPU_COUNT(&cores)) : std::thread::hardware_concurrency());
}

}  // namespace ckpt::base
