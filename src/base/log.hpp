// The library's own door to the log callback.
#pragma once

#include <ckpt/log.hpp>

#include <string_view>

namespace ckpt::base {

/// Whether there is a callback, for lines that cost more than the call.
bool is_logging() noexcept;

/// Hands one line to the callback, if there is one.
void log(LogLevel level, std::string_view message) noexcept;

}  // namespace ckpt::base
