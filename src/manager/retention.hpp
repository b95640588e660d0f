// Which checkpoints are kept: a function of the list and the rules alone, without input or output.
#pragma once

#include "manager/facts.hpp"
#include "manager/state.hpp"

#include <ckpt/retention.hpp>

#include <string>
#include <vector>

namespace ckpt::manager {

struct Candidate {
  Entry entry;
  Facts facts;
  bool pinned = false;
  bool damaged = false;
};

struct Verdict {
  bool keep = true;
  /// What the entry becomes when it is kept.
  Standing standing = Standing::active;
  std::vector<std::string> reasons;
};

struct RetentionPlan {
  std::vector<Verdict> verdicts;  ///< one for each candidate, in their order
  double last_preserved = 0;
};

/// Whether a rule asks for steps, metrics or times of creation, so that candidates need their facts.
bool needs_facts(const RetentionRules& rules);

/// `candidates` are oldest first. The last one is kept whatever the rules say, and so is one whose facts could not be
/// read when a rule needs them, or one that is damaged, which takes no place among the others.
RetentionPlan plan_retention(const std::vector<Candidate>& candidates, const RetentionRules& rules,
                             double last_preserved);

/// Indexes of the candidates that have the metric and are not damaged, best first.
std::vector<std::size_t> ranking(const std::vector<Candidate>& candidates, std::string_view metric, Better better);

}  // namespace ckpt::manager
