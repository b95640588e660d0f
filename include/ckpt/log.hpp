// Where warnings go: the library itself prints nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace ckpt {

enum class LogLevel : std::uint8_t { info, warning };

/// Receives one line without a newline. It may be called from any thread, one call at a time; what it throws is
/// dropped. It may use the library and set another callback: it lives until it returns. It must not wait for another
/// thread that may log, which waits for its turn. Savers and managers of static lifetime may log after main has
/// returned: what it refers to has to be there as long, or it is replaced before.
using LogCallback = std::function<void(LogLevel level, std::string_view message)>;

/// Replaces the callback for the whole process; an empty one (the default) drops messages. When this returns, no other
/// thread is in the former one. Thread-safe.
void set_log_callback(LogCallback callback);

}  // namespace ckpt
