#include "format.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>

namespace ckptdump {
namespace {

struct Scaled {
  double value;
  std::size_t step;  // how often it was divided
};

// Divides until the rounded value has at most three digits before the point.
Scaled scale(std::uint64_t amount, double base, std::size_t most) {
  Scaled scaled{static_cast<double>(amount), 0};
  while (scaled.step < most && scaled.value >= (base < 1024 ? 999.5 : 1023.5)) {
    scaled.value /= base;
    ++scaled.step;
  }
  return scaled;
}

int decimals_of(double value, int below_ten) {
  if (value >= 99.95) return 0;
  return value >= (below_ten == 2 ? 9.995 : 9.95) ? 1 : below_ten;
}

}  // namespace

std::string format_bytes(std::uint64_t bytes, Units units) {
  if (units == Units::bytes) return fmt::format("{}", bytes);
  constexpr std::array<const char*, 7> kIec{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  constexpr std::array<const char*, 7> kSi{"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  const Scaled scaled = scale(bytes, units == Units::iec ? 1024 : 1000, kIec.size() - 1);
  const char* unit = (units == Units::iec ? kIec : kSi)[scaled.step];
  if (scaled.step == 0) return fmt::format("{} {}", bytes, unit);
  return fmt::format("{:.{}f} {}", scaled.value, decimals_of(scaled.value, scaled.step >= 3 ? 2 : 1), unit);
}

std::string format_count(std::uint64_t count, Units units) {
  constexpr std::array<const char*, 5> kNames{"", " K", " M", " B", " T"};
  if (units == Units::bytes || count < 1000) return fmt::format("{}", count);
  const Scaled scaled = scale(count, 1000, kNames.size() - 1);
  if (scaled.step == 0) return fmt::format("{}", count);
  return fmt::format("{:.{}f}{}", scaled.value, decimals_of(scaled.value, 2), kNames[scaled.step]);
}

std::string format_grouped(std::uint64_t count) {
  std::string digits = fmt::format("{}", count);
  for (std::size_t end = digits.size(); end > 3; end -= 3) digits.insert(end - 3, 1, ',');
  return digits;
}

std::string format_percent(std::uint64_t part, std::uint64_t whole, int decimals) {
  const double ratio = whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  return fmt::format("{:.{}f} %", ratio, decimals);
}

std::string format_seconds(double seconds) {
  if (seconds < 0.001) return "under 1 ms";
  if (seconds < 0.1) return fmt::format("{:.0f} ms", seconds * 1000);
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::uint64_t>(seconds);
  return fmt::format("{} min {} s", whole / 60, whole % 60);
}

std::string format_time(std::int64_t nanoseconds) {
  using std::chrono::floor;
  using Seconds = std::chrono::seconds;
  const auto since = floor<Seconds>(std::chrono::nanoseconds{nanoseconds});
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(since.count())));
}

std::string spaces(std::size_t count) { return std::string(count, ' '); }

std::string Style::wrap(std::string_view code, std::string_view text) const {
  if (!enabled_ || text.empty()) return std::string{text};
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

bool wants_color(ColorMode mode, bool terminal) {
  if (mode != ColorMode::automatic) return mode == ColorMode::always;
  const auto set = [](const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? std::string_view{value} : std::string_view{};
  };
  return terminal && set("NO_COLOR").empty() && set("TERM") != "dumb";
}

}  // namespace ckptdump
