#include "manager/deletions.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <exception>
#include <string_view>
#include <system_error>
#include <utility>

namespace ckpt::manager {
namespace {

void warn(std::string_view what, const std::exception& error) noexcept {
  try {
    base::log(LogLevel::warning, std::string{what} + error.what());
  } catch (const std::exception&) {  // no memory for the line
  }
}

}  // namespace

Deletions::~Deletions() {
  if (thread_.joinable()) thread_.join();
}

void Deletions::schedule(std::list<std::string> files, bool durable) {
  if (files.empty()) return;
  {
    const std::scoped_lock lock{mutex_};
    queue_.splice(queue_.end(), files);
    durable_ = durable_ || durable;
    if (running_) return;
    running_ = true;
  }
  if (thread_.joinable()) thread_.join();  // it has ended, or is about to
  try {
    thread_ = std::thread{[this] { run(); }};
  } catch (const std::exception&) {  // no thread, or no memory for one
    run();
  }
}

void Deletions::cancel(const std::string& file) {
  std::unique_lock lock{mutex_};
  if (const auto found = std::ranges::find(queue_, file); found != queue_.end()) {
    outcome_.left.splice(outcome_.left.end(), queue_, found);
  }
  changed_.wait(lock, [&] { return current_.empty() || current_.front() != file; });
}

void Deletions::cancel_all() {
  std::unique_lock lock{mutex_};
  outcome_.left.splice(outcome_.left.end(), queue_);
  changed_.wait(lock, [&] { return current_.empty(); });
}

void Deletions::wait() {
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [&] { return !running_; });
}

Deletions::Outcome Deletions::take_outcome() {
  const std::scoped_lock lock{mutex_};
  return std::exchange(outcome_, {});
}

void Deletions::run() noexcept {
  std::unique_lock lock{mutex_};
  while (!queue_.empty() || durable_) {
    if (queue_.empty()) {
      durable_ = false;
      lock.unlock();
      sync();
      lock.lock();
      continue;
    }
    current_.splice(current_.end(), queue_, queue_.begin());
    lock.unlock();
    const bool removed = remove(current_.front());  // only this thread changes it
    lock.lock();
    std::list<std::string>& to = removed ? outcome_.removed : outcome_.left;
    to.splice(to.end(), current_);
    changed_.notify_all();
  }
  running_ = false;
  changed_.notify_all();
}

bool Deletions::remove(const std::string& file) const noexcept {
  try {
    directory_.remove(file);  // one that is gone already is as good
    return true;
  } catch (const std::exception& error) {
    warn("an old checkpoint could not be removed: ", error);
    return false;
  }
}

void Deletions::sync() const noexcept {
  try {
    directory_.sync();
  } catch (const std::exception& error) {
    warn("after checkpoints were removed: ", error);
  }
}

}  // namespace ckpt::manager
