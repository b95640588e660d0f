// Processes and threads.
#pragma once

namespace ckpt::os {

/// Differs from what it was before when the process was forked since. In the child no thread of the parent runs.
int process_id() noexcept;

/// For a thread that works in the background, and those that it starts: when they have something to do, they wait until
/// a processor is free or their turn has come, and do not interrupt other threads. Their share stays the same. A hint.
void run_as_batch() noexcept;

}  // namespace ckpt::os
