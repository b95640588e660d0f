// Amounts, times and colours, as people read them.
#pragma once

#include "options.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ckptdump {

/// "2.05 GiB", "2.20 GB" or "2201170739": three digits from GiB (GB) up, at least two below.
std::string format_bytes(std::uint64_t bytes, Units units);

/// "1.10 B", "65.5 M", "969 K", "512"; all digits when the units are bytes.
std::string format_count(std::uint64_t count, Units units);

/// "1,100,048,384".
std::string format_grouped(std::uint64_t count);

/// "88.1 %"; 0.0 of nothing.
std::string format_percent(std::uint64_t part, std::uint64_t whole, int decimals = 1);

/// "0.2 s", "12 ms", "4 min 10 s".
std::string format_seconds(double seconds);

/// "2026-11-23T00:46:36Z" from nanoseconds since 1970 UTC.
std::string format_time(std::int64_t nanoseconds);

std::string spaces(std::size_t count);

/// ANSI colours, or nothing.
class Style {
 public:
  explicit Style(bool enabled) : enabled_{enabled} {}

  std::string bold(std::string_view text) const { return wrap("1", text); }
  std::string dim(std::string_view text) const { return wrap("2", text); }
  std::string good(std::string_view text) const { return wrap("32", text); }
  std::string bad(std::string_view text) const { return wrap("31", text); }
  std::string link(std::string_view text) const { return wrap("36", text); }

 private:
  std::string wrap(std::string_view code, std::string_view text) const;

  bool enabled_;
};

/// What --color, NO_COLOR and TERM together mean for a stream that is or is not a terminal.
bool wants_color(ColorMode mode, bool terminal);

}  // namespace ckptdump
