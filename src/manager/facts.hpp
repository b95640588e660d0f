// What a checkpoint file says about itself, as far as rules of retention ask.
#pragma once

#include <ckpt/error.hpp>
#include <ckpt/writer.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace ckpt::manager {

struct Facts {
  std::optional<std::int64_t> created_ns;  ///< since 1970 UTC
  std::optional<std::int64_t> step;
  std::map<std::string, double, std::less<>> metrics;
  /// Why nothing could be read.
  std::optional<Error> problem;

  /// Seconds since 1970 UTC.
  std::optional<double> created() const {
    return created_ns ? std::optional{static_cast<double>(*created_ns) / 1e9} : std::nullopt;
  }
};

/// By explicit reads: on a device that fails, a mapping would end the process for a file that nobody restores. Does not
/// throw ckpt::Error: what cannot be read is a problem in the result.
Facts read_facts(const std::filesystem::path& file);

/// Those of a file that is written with these options.
Facts facts_of(const WriterOptions& options);

}  // namespace ckpt::manager
