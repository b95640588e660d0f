#include "base/log.hpp"

#include <mutex>
#include <utility>

namespace ckpt {
namespace {

struct Sink {
  std::recursive_mutex mutex;  // a callback may itself cause a message
  LogCallback callback;
};

Sink& sink() {
  static Sink instance;
  return instance;
}

}  // namespace

void set_log_callback(LogCallback callback) {
  const std::scoped_lock lock{sink().mutex};
  sink().callback = std::move(callback);
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
    if (sink().callback) sink().callback(level, message);
  } catch (...) {  // a log line is never worth a failed save
  }
}

}  // namespace ckpt
