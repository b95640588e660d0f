// What the command line says, and what ckptdump tells its caller.
#pragma once

#include <ckpt/error.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ckptdump {

enum class ColorMode : std::uint8_t { automatic, always, never };

/// How amounts are printed: 1.5 MiB, 1.6 MB or 1572864.
enum class Units : std::uint8_t { iec, si, bytes };

struct Options {
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  ColorMode color = ColorMode::automatic;
  Units units = Units::iec;
  std::vector<std::string> include;  ///< globs on paths; empty includes all
  std::vector<std::string> exclude;

  std::vector<std::string> files;
  bool long_listing = false;
  bool verify = false;               ///< read every byte of each checkpoint of a history
  bool apply = false;                ///< remove garbage
  std::optional<std::size_t> depth;  ///< of the tree; nothing for all of it
};

/// The exit statuses, a promise to scripts.
enum class ExitCode : std::uint8_t {
  ok = 0,
  failed = 1,   ///< damaged, truncated or no checkpoint
  error = 2,    ///< wrong usage, or the system refused
  unknown = 3,  ///< a format, version or feature that this version does not know
  interrupted = 130,
};

ExitCode exit_code_of(ckpt::ErrorCode code) noexcept;

/// With several files the highest status is returned.
inline ExitCode worse(ExitCode a, ExitCode b) noexcept { return a < b ? b : a; }

}  // namespace ckptdump
