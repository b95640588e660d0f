// What a manager keeps, and what it says about each checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ckpt {

enum class Better : std::uint8_t { lower, higher };

/// Keeps the best checkpoints by a metric that was recorded with them (WriterOptions::metrics). Those without it, and
/// those where it is not a number, are never among the best; of two equal ones the newer is better.
struct KeepBest {
  std::string metric = {};
  int count = 1;  ///< at least 1
  Better better = Better::lower;
};

/// Those of ManagerOptions, which says what each means, that decide what is kept. A manager records its own with the
/// list of checkpoints, so that others can tell what it would let go of.
struct RetentionRules {
  std::optional<int> max_to_keep = {};  ///< nothing keeps all
  std::optional<double> keep_every_n_hours = {};
  std::optional<double> keep_time_grid_hours = {};
  std::optional<std::int64_t> keep_every_n_steps = {};
  std::vector<KeepBest> keep_best = {};
};

/// What happens to one checkpoint, and why: one or more clauses for people, such as "best 2 of 3 by loss (0.25)".
struct RetentionDecision {
  std::filesystem::path file;
  std::int64_t number = 0;
  bool keep = true;
  std::vector<std::string> reasons;
};

}  // namespace ckpt
