#include "manager/file_names.hpp"
#include "os/directory_watch.hpp"

#include <ckpt/error.hpp>
#include <ckpt/manager.hpp>
#include <ckpt/watch.hpp>

#include <algorithm>
#include <cmath>
#include <thread>
#include <utility>

namespace ckpt {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void refuse(const char* problem, Seconds found) {
  throw Error{ErrorCode::invalid_argument, {.problem = problem, .found = std::to_string(found.count()) + " seconds"}};
}

void require_times(const std::optional<Seconds>& timeout, Seconds poll_interval) {
  if (!(poll_interval.count() > 0)) refuse("poll_interval must be more than 0", poll_interval);
  if (timeout && std::isnan(timeout->count())) refuse("timeout must be a number", *timeout);
}

// Rounded up, so that a wait for less than a millisecond does not become a loop, and cut: nobody minds a look an hour.
std::chrono::milliseconds milliseconds_of(Seconds time) {
  constexpr Seconds kMost{3600};
  return std::chrono::ceil<std::chrono::milliseconds>(std::clamp(time, Seconds{0}, kMost));
}

}  // namespace

std::optional<std::filesystem::path> wait_for_new_checkpoint(const std::filesystem::path& directory,
                                                             const std::optional<std::filesystem::path>& last,
                                                             const WaitOptions& options) {
  require_times(options.timeout, options.poll_interval);
  const Clock::time_point start = Clock::now();
  os::DirectoryWatch watch{directory};
  while (true) {
    auto newest = latest_checkpoint(directory, options.name);
    if (newest && !(last && last->filename() == newest->filename())) return newest;
    Seconds most = options.poll_interval;
    if (options.timeout) {
      const Seconds left = *options.timeout - (Clock::now() - start);
      if (left.count() <= 0) return std::nullopt;
      most = std::min(most, left);
    }
    if (!watch.is_live()) {
      watch = os::DirectoryWatch{directory};
      // What came between the look and the watch is not told.
      if (watch.is_live()) continue;
    }
    watch.wait(milliseconds_of(most));
  }
}

NewCheckpoints::NewCheckpoints(std::filesystem::path directory, FollowOptions options)
    : directory_{std::move(directory)}, options_{std::move(options)} {
  manager::require_manager_name(options_.name);
  require_times(options_.timeout, options_.poll_interval);
  if (!std::isfinite(options_.min_interval.count())) refuse("min_interval must be finite", options_.min_interval);
}

std::optional<std::filesystem::path> NewCheckpoints::next() {
  if (ended_) return std::nullopt;
  if (last_) {
    while (true) {
      const Seconds left = options_.min_interval - (Clock::now() - last_time_);
      if (left.count() <= 0) break;
      std::this_thread::sleep_for(milliseconds_of(left));
    }
  }
  const WaitOptions wait{options_.name, options_.timeout, options_.poll_interval};
  auto found = wait_for_new_checkpoint(directory_, last_, wait);
  while (!found && options_.timeout_fn && !options_.timeout_fn()) {
    found = wait_for_new_checkpoint(directory_, last_, wait);
  }
  ended_ = !found;
  if (found) {
    last_ = found;
    last_time_ = Clock::now();
  }
  return found;
}

}  // namespace ckpt
