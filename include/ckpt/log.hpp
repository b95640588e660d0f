// Where warnings go: the library itself prints nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace ckpt {

enum class LogLevel : std::uint8_t { info, warning };

/// Receives one line without a newline. It may be called from any thread, one call at a time, and must not throw.
using LogCallback = std::function<void(LogLevel level, std::string_view message)>;

/// Replaces the callback for the whole process; an empty one (the default) drops messages. Thread-safe.
void set_log_callback(LogCallback callback);

}  // namespace ckpt
