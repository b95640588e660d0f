#include "base/log.hpp"

#include <memory>
#include <mutex>
#include <utility>

namespace ckpt {
namespace {

struct Sink {
  std::recursive_mutex mutex;  // a callback may itself cause a message
  std::shared_ptr<const LogCallback> callback;
};

// Never destroyed: an object of static lifetime may log when it ends.
Sink& sink() {
  static Sink& instance = *new Sink;
  return instance;
}

}  // namespace

void set_log_callback(LogCallback callback) {
  auto held = callback ? std::make_shared<const LogCallback>(std::move(callback)) : nullptr;
  // The former callback goes after the lock: its destructor is the program's.
  const std::scoped_lock lock{sink().mutex};
  sink().callback.swap(held);
}

bool base::is_logging() noexcept {
  try {
    const std::scoped_lock lock{sink().mutex};
    return sink().callback != nullptr;
  } catch (...) {
    return false;
  }
}

void base::log(LogLevel level, std::string_view message) noexcept {
  try {
    const std::scoped_lock lock{sink().mutex};
    const auto callback = sink().callback;  // it may replace itself, and has to stay until it returns
    if (callback) (*callback)(level, message);
  } catch (...) {  // a log line is never worth a failed save
  }
}

}  // namespace ckpt
