#include "manager/deletions.hpp"

#include "base/log.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <system_error>
#include <utility>

namespace ckpt::manager {

Deletions::~Deletions() {
  if (thread_.joinable()) thread_.join();
}

void Deletions::schedule(const std::vector<std::string>& files, bool durable) {
  if (files.empty()) return;
  {
    const std::scoped_lock lock{mutex_};
    queue_.insert(queue_.end(), files.begin(), files.end());
    durable_ = durable_ || durable;
    if (running_) return;
    running_ = true;
  }
  if (thread_.joinable()) thread_.join();  // it has ended, or is about to
  try {
    thread_ = std::thread{[this] { run(); }};
  } catch (const std::system_error&) {
    run();
  }
}

void Deletions::cancel(const std::string& file) {
  std::unique_lock lock{mutex_};
  if (const auto found = std::ranges::find(queue_, file); found != queue_.end()) {
    queue_.erase(found);
    outcome_.left.push_back(file);
  }
  changed_.wait(lock, [&] { return current_ != file; });
}

void Deletions::cancel_all() {
  std::unique_lock lock{mutex_};
  outcome_.left.insert(outcome_.left.end(), queue_.begin(), queue_.end());
  queue_.clear();
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

void Deletions::run() {
  std::unique_lock lock{mutex_};
  while (!queue_.empty() || durable_) {
    if (queue_.empty()) {
      durable_ = false;
      lock.unlock();
      sync();
      lock.lock();
      continue;
    }
    current_ = std::move(queue_.front());
    queue_.pop_front();
    const std::string file = current_;
    lock.unlock();
    const bool removed = remove(file);
    lock.lock();
    (removed ? outcome_.removed : outcome_.left).push_back(file);
    current_.clear();
    changed_.notify_all();
  }
  running_ = false;
  changed_.notify_all();
}

bool Deletions::remove(const std::string& file) const {
  try {
    directory_.remove(file);  // one that is gone already is as good
    return true;
  } catch (const Error& error) {
    base::log(LogLevel::warning, std::string{"an old checkpoint could not be removed: "} + error.what());
    return false;
  }
}

void Deletions::sync() const {
  try {
    directory_.sync();
  } catch (const Error& error) {
    base::log(LogLevel::warning, std::string{"after checkpoints were removed: "} + error.what());
  }
}

}  // namespace ckpt::manager
