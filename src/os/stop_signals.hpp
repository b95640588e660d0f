// SIGTERM and SIGINT as a question that a loop can ask.
#pragma once

#include <memory>

namespace ckpt::os {

/// While it lives, the first SIGTERM or SIGINT is noted and does nothing else; another one then ends the process as if
/// this object were not there. The handlers that were there before come back with its end.
class StopSignals {
 public:
  /// Throws busy when another one lives in this process.
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// The signal that came, or 0.
  int caught() const noexcept;

 private:
  struct Saved;
  std::unique_ptr<Saved> saved_;
};

}  // namespace ckpt::os
