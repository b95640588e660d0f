#include "manager/retention.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace ckpt::manager {
namespace {

constexpr double kSecondsPerHour = 3600;

class Planner {
 public:
  Planner(const std::vector<Candidate>& candidates, const RetentionRules& rules, double last_preserved)
      : candidates_{candidates}, rules_{rules}, plan_{.verdicts = {}, .last_preserved = last_preserved} {
    plan_.verdicts.resize(candidates.size());
    for (std::size_t i = 0; i < candidates.size(); ++i) plan_.verdicts[i].standing = candidates[i].entry.standing;
  }

  RetentionPlan run() {
    if (candidates_.empty()) return std::move(plan_);
    keep_newest();
    keep_preserved();
    keep_steps();
    keep_grid();
    for (const KeepBest& best : rules_.keep_best) keep_best(best);
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      if (candidates_[i].pinned) want(i, "pinned");
      const bool unknown = needs_facts(rules_) && candidates_[i].facts.problem.has_value();
      if (unknown) want(i, std::string{"the rules cannot judge it: "} + candidates_[i].facts.problem->what());
    }
    let_go();
    return std::move(plan_);
  }

 private:
  const Entry& entry(std::size_t i) const { return candidates_[i].entry; }
  void want(std::size_t i, std::string reason) { plan_.verdicts[i].reasons.push_back(std::move(reason)); }

  // What is preserved has left the list, and takes no place among the newest.
  void keep_newest() {
    std::size_t left = rules_.max_to_keep ? static_cast<std::size_t>(*rules_.max_to_keep) : candidates_.size();
    for (std::size_t i = candidates_.size(); i-- > 0 && left > 0;) {
      if (entry(i).standing == Standing::preserved) continue;
      want(i, rules_.max_to_keep ? "among the newest " + std::to_string(*rules_.max_to_keep) + " (max_to_keep)"
                                 : "all are kept (max_to_keep is not set)");
      --left;
    }
    if (plan_.verdicts.back().reasons.empty()) want(candidates_.size() - 1, "the newest");
  }

  // One pass, oldest first: each that leaves the newest is judged once, against the last one that was preserved.
  void keep_preserved() {
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      Verdict& verdict = plan_.verdicts[i];
      if (verdict.standing == Standing::preserved) want(i, "left the list before, and is kept for ever");
      if (verdict.standing != Standing::active || !verdict.reasons.empty()) continue;
      verdict.standing = Standing::held;
      if (!rules_.keep_every_n_hours) continue;
      if (entry(i).time - *rules_.keep_every_n_hours * kSecondsPerHour < plan_.last_preserved) continue;
      plan_.last_preserved = entry(i).time;
      verdict.standing = Standing::preserved;
      want(i, base::shortest(*rules_.keep_every_n_hours) +
                  " hours or more after the last one that was kept so (keep_every_n_hours)");
    }
  }

  void keep_steps() {
    if (!rules_.keep_every_n_steps) return;
    const std::int64_t every = *rules_.keep_every_n_steps;
    std::set<std::int64_t> seen;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      const auto& step = candidates_[i].facts.step;
      if (!step || *step < every || !seen.insert(*step / every).second) continue;
      want(i, "the first at or after step " + std::to_string(*step / every * every) + " (keep_every_n_steps)");
    }
  }

  void keep_grid() {
    if (!rules_.keep_time_grid_hours) return;
    std::set<double> seen;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      // The time in the file is the same after a restart, and when a clock went back.
      const double time = candidates_[i].facts.created().value_or(entry(i).time);
      if (!seen.insert(std::floor(time / (*rules_.keep_time_grid_hours * kSecondsPerHour))).second) continue;
      want(i, "the first of its period of " + base::shortest(*rules_.keep_time_grid_hours) +
                  " hours (keep_time_grid_hours)");
    }
  }

  void keep_best(const KeepBest& best) {
    const std::vector<std::size_t> ranks = ranking(candidates_, best.metric, best.better);
    const std::size_t count = std::min(ranks.size(), static_cast<std::size_t>(best.count));
    for (std::size_t rank = 0; rank < count; ++rank) {
      const double value = candidates_[ranks[rank]].facts.metrics.find(best.metric)->second;
      want(ranks[rank], "best " + std::to_string(rank + 1) + " of " + std::to_string(best.count) + " by " +
                            best.metric + " (" + base::shortest(value) + ")");
    }
  }

  void let_go() {
    for (Verdict& verdict : plan_.verdicts) {
      if (!verdict.reasons.empty()) continue;
      verdict.keep = false;
      verdict.reasons.emplace_back("no rule wants it");
    }
  }

  const std::vector<Candidate>& candidates_;
  const RetentionRules& rules_;
  RetentionPlan plan_;
};

}  // namespace

bool needs_facts(const RetentionRules& rules) {
  return rules.keep_every_n_steps || rules.keep_time_grid_hours || !rules.keep_best.empty();
}

RetentionPlan plan_retention(const std::vector<Candidate>& candidates, const RetentionRules& rules,
                             double last_preserved) {
  return Planner{candidates, rules, last_preserved}.run();
}

std::vector<std::size_t> ranking(const std::vector<Candidate>& candidates, std::string_view metric, Better better) {
  std::vector<std::pair<double, std::size_t>> values;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto found = candidates[i].facts.metrics.find(metric);
    if (found == candidates[i].facts.metrics.end() || std::isnan(found->second)) continue;
    values.emplace_back(better == Better::lower ? found->second : -found->second, i);
  }
  std::ranges::sort(values, [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second > b.second;  // of equal ones the newer
  });
  std::vector<std::size_t> ranks;
  ranks.reserve(values.size());
  for (const auto& value : values) ranks.push_back(value.second);
  return ranks;
}

}  // namespace ckpt::manager
