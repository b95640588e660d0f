// Which process this is.
#pragma once

namespace ckpt::os {

/// Differs from what it was before when the process was forked since. In the child no thread of the parent runs.
int process_id() noexcept;

}  // namespace ckpt::os
