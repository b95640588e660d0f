// Processes and threads.
#pragma once

namespace ckpt::os {

/// Differs from what it was before when the process was forked since. In the child no thread of the parent runs.
int process_id() noexcept;

/// The same without a system call, for what is asked often: counts the forks that led to this process. Children that
/// clone() or _Fork() made have the number of their parent.
unsigned fork_depth() noexcept;

/// For a thread that works in the background, and those that it starts: when they have something to do, they wait until
/// a processor is free or their turn has come, and do not interrupt other threads. Their share stays the same. A hint,
/// which leaves alone what somebody has asked for: a thread that runs in real time or when nothing else does stays so.
void run_as_batch() noexcept;

}  // namespace ckpt::os
