// What a manager keeps besides the newest checkpoints, and what it says about each.
#pragma once

#include <cstdint>
#include <filesystem>
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

/// What happens to one checkpoint, and why: one or more clauses for people, such as "best 2 of 3 by loss (0.25)".
struct RetentionDecision {
  std::filesystem::path file;
  std::int64_t number = 0;
  bool keep = true;
  std::vector<std::string> reasons;
};

}  // namespace ckpt
