// SIGTERM and SIGINT as a question that a loop can ask.
#pragma once

namespace ckpt::os {

/// While it lives, the first SIGTERM or SIGINT is noted and does nothing else; another one then does what it would do
/// without this object: end the process, if nobody changed that. A signal that was ignored stays ignored (a shell does
/// that for what it starts in the background). A handler that is installed meanwhile stays, also afterwards; what it
/// passes on to the handler that it found here does the same as without it.
class StopSignals {
 public:
  /// Throws busy when another one lives in this process.
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// The signal that came, or 0.
  int caught() const noexcept;
};

}  // namespace ckpt::os
