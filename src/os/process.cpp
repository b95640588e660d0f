#include "os/process.hpp"

#include <unistd.h>

namespace ckpt::os {

int process_id() noexcept { return ::getpid(); }

}  // namespace ckpt::os
