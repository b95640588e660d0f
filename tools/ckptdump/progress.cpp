#include "progress.hpp"

#include "format.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>

namespace ckptdump {
namespace {

using namespace std::chrono_literals;

std::atomic<bool> shown{false};

}  // namespace

Progress::Progress(const Options& options)
    : enabled_{!options.quiet && ::isatty(STDERR_FILENO) == 1}, units_{options.units}, next_{start_ + 500ms} {}

Progress::~Progress() {
  if (shown.exchange(false)) std::fputs("\r\x1b[K", stderr);
}

void Progress::update(std::uint64_t done, std::uint64_t total) {
  if (!enabled_ || done == 0) return;
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + 100ms;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double rate = static_cast<double>(done) / seconds;
  const double left = total > done ? static_cast<double>(total - done) / rate : 0.0;
  shown = true;
  fmt::print(stderr, "\r{}  {} of {}  {}/s  {} left\x1b[K", format_percent(done, total, 0), format_bytes(done, units_),
             format_bytes(total, units_), format_bytes(static_cast<std::uint64_t>(rate), units_), format_seconds(left));
  std::fflush(stderr);
}

bool Progress::is_shown() noexcept { return shown; }

}  // namespace ckptdump
