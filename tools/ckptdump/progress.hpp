// A line on the terminal that says how far long work has come.
#pragma once

#include "options.hpp"

#include <chrono>
#include <cstdint>

namespace ckptdump {

/// Shows bytes, rate and remaining time on standard error, rewriting one line, when that is a terminal and the work
/// lasts over half a second. Removes the line when destroyed. One thread at a time.
class Progress {
 public:
  explicit Progress(const Options& options);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::uint64_t done, std::uint64_t total);

  /// Whether such a line stands on the terminal now; for a signal handler.
  static bool is_shown() noexcept;

 private:
  using Clock = std::chrono::steady_clock;

  bool enabled_;
  Units units_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point next_;
};

}  // namespace ckptdump
