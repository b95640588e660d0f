#include "manager/retention.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace ckpt::manager {
namespace {

constexpr double kSecondsPerHour = 3600;

// Of each period the candidate with the smallest step, or time: its place in the list says when its file was written,
// and a number that is used again is at the end. Of equal ones the first in the list.
template <typename Value>
class Firsts {
 public:
  void add(Value period, Value value, std::size_t index) {
    const std::pair candidate{value, index};
    auto& first = firsts_.try_emplace(period, candidate).first->second;
    first = std::min(first, candidate);
  }
  const std::map<Value, std::pair<Value, std::size_t>>& all() const noexcept { return firsts_; }

 private:
  std::map<Value, std::pair<Value, std::size_t>> firsts_;
};

class Planner {
 public:
  Planner(const std::vector<Candidate>& candidates, const RetentionRules& rules, double last_preserved)
      : candidates_{candidates}, rules_{rules}, plan_{.verdicts = {}, .last_preserved = last_preserved} {
    plan_.verdicts.resize(candidates.size());
    for (std::size_t i = 0; i < candidates.size(); ++i) plan_.verdicts[i].standing = candidates[i].entry.standing;
  }

  RetentionPlan run() {
    if (candidates_.empty()) return std::move(plan_);
    keep_damaged();
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

  // A person may want to save what can be saved. It is held: the next manager, which does not know of the damage, would
  // preserve for ever what is active and older than the last one preserved.
  void keep_damaged() {
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      if (!candidates_[i].damaged) continue;
      Standing& standing = plan_.verdicts[i].standing;
      if (standing == Standing::active) standing = Standing::held;
      want(i, "damaged: counts for no rule, and stays until a save takes its number, or another manager judges");
    }
  }

  // What is preserved has left the list, and takes no place among the newest.
  void keep_newest() {
    std::size_t left = rules_.max_to_keep ? static_cast<std::size_t>(*rules_.max_to_keep) : candidates_.size();
    for (std::size_t i = candidates_.size(); i-- > 0 && left > 0;) {
      if (entry(i).standing == Standing::preserved || candidates_[i].damaged) continue;
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
    Firsts<std::int64_t> firsts;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      const auto& step = candidates_[i].facts.step;
      if (step && *step >= every && !candidates_[i].damaged) firsts.add(*step / every, *step, i);
    }
    for (const auto& [period, first] : firsts.all()) {
      want(first.second, "the first at or after step " + std::to_string(period * every) + " (keep_every_n_steps)");
    }
  }

  void keep_grid() {
    if (!rules_.keep_time_grid_hours) return;
    const double seconds = *rules_.keep_time_grid_hours * kSecondsPerHour;
    Firsts<double> firsts;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      if (candidates_[i].damaged) continue;
      // The time in the file is the same after a restart, and when a clock went back.
      const double time = candidates_[i].facts.created().value_or(entry(i).time);
      firsts.add(std::floor(time / seconds), time, i);
    }
    for (const auto& [period, first] : firsts.all()) {
      want(first.second, "the first of its period of " + base::shortest(*rules_.keep_time_grid_hours) +
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
    if (candidates[i].damaged || found == candidates[i].facts.metrics.end() || std::isnan(found->second)) continue;
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
