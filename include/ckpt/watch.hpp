// Following the checkpoints that another process writes: for evaluation jobs beside a training.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <iterator>
#include <optional>
#include <string>

namespace ckpt {

using Seconds = std::chrono::duration<double>;

struct WaitOptions {
  /// As ManagerOptions::name.
  std::string name = "ckpt";
  /// How long to wait; nothing: for ever.
  std::optional<Seconds> timeout = {};
  /// How often the directory is looked at, more than 0. Where the system tells of changes (inotify: those made on this
  /// machine), a new checkpoint is seen at once all the same.
  Seconds poll_interval{1};
};

/// The newest checkpoint, as latest_checkpoint() gives it, as soon as there is one whose file name is not that of
/// `last`; nothing when the time is over. The directory need not exist yet. Takes no lock. The file may be rotated away
/// at any moment; a Reader that has it open stays valid. A number that is saved again is not new.
/// Throws invalid_argument for bad options, io, unsupported (a state file of a newer version).
std::optional<std::filesystem::path> wait_for_new_checkpoint(const std::filesystem::path& directory,
                                                             const std::optional<std::filesystem::path>& last = {},
                                                             const WaitOptions& options = {});

struct FollowOptions {
  /// As ManagerOptions::name.
  std::string name = "ckpt";
  /// At least so long from one checkpoint to the next.
  Seconds min_interval{0};
  /// How long to wait for each; nothing: for ever.
  std::optional<Seconds> timeout = {};
  /// Asked each time that `timeout` is over: true ends, false goes on waiting. Without it, a timeout ends.
  std::function<bool()> timeout_fn = {};
  /// As WaitOptions::poll_interval.
  Seconds poll_interval{1};
};

/// Every new checkpoint of a directory, the newest each time: those that came and went meanwhile are skipped.
///
///     for (const auto& path : ckpt::NewCheckpoints{"runs/toy", {.timeout = std::chrono::minutes{30}}}) evaluate(path);
///
/// One owner, one thread at a time. Errors as wait_for_new_checkpoint(), and what `timeout_fn` throws.
class NewCheckpoints {
 public:
  class Iterator;

  /// Throws invalid_argument for bad options. Does not look at the directory yet.
  explicit NewCheckpoints(std::filesystem::path directory, FollowOptions options = {});

  /// Waits for the next one; nothing when the time is over, and from then on.
  std::optional<std::filesystem::path> next();

  /// Waits for the first. One pass only: every iterator is the same one. It must not outlive this object.
  Iterator begin();
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  std::filesystem::path directory_;
  FollowOptions options_;
  std::optional<std::filesystem::path> last_;
  std::chrono::steady_clock::time_point last_time_;
  bool ended_ = false;
};

class NewCheckpoints::Iterator {
 public:
  using value_type = std::filesystem::path;
  using difference_type = std::ptrdiff_t;

  explicit Iterator(NewCheckpoints& owner) : owner_{&owner}, current_{owner.next()} {}

  const std::filesystem::path& operator*() const { return current_.value(); }
  const std::filesystem::path* operator->() const { return &current_.value(); }
  Iterator& operator++() {
    current_ = owner_->next();
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const Iterator& iterator, std::default_sentinel_t) noexcept {
    return !iterator.current_.has_value();
  }

 private:
  NewCheckpoints* owner_;
  std::optional<std::filesystem::path> current_;
};

inline NewCheckpoints::Iterator NewCheckpoints::begin() { return Iterator{*this}; }

}  // namespace ckpt
