// What the rules say about the files that a manager knows.
#include "manager/file_names.hpp"
#include "manager/impl.hpp"

#include <algorithm>

namespace ckpt {

using manager::Candidate;
using manager::Entry;

// A file that could not be read is read again the next time: the cause may pass.
const manager::Facts& CheckpointManager::Impl::facts_of(const std::string& file, manager::Facts& spare) {
  if (const auto found = facts_.find(file); found != facts_.end()) return found->second;
  spare = manager::read_facts(directory_.path() / file);
  return spare.problem ? spare : facts_.emplace(file, spare).first->second;
}

std::vector<Candidate> CheckpointManager::Impl::judged(bool with_facts, bool with_pins) {
  std::vector<Candidate> all;
  all.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    if (is_leaving(entry)) continue;
    Candidate& candidate = all.emplace_back(Candidate{entry, {}, false, damaged_.contains(entry.file)});
    if (with_pins) candidate.pinned = directory_.exists(manager::pin_file(entry.file));
    manager::Facts spare;
    if (with_facts) candidate.facts = facts_of(entry.file, spare);
  }
  return all;
}

std::vector<RetentionDecision> CheckpointManager::Impl::plan() {
  const Lock lock = locked();
  settle();
  reclaim();
  const std::vector<Candidate> all = judged(manager::needs_facts(rules_), true);
  manager::RetentionPlan plan = manager::plan_retention(all, rules_, last_preserved_);
  std::vector<RetentionDecision> decisions;
  for (std::size_t i = 0; i < all.size(); ++i) {
    manager::Verdict& verdict = plan.verdicts[i];
    decisions.push_back({shown_ / all[i].entry.file, all[i].entry.number, verdict.keep, std::move(verdict.reasons)});
  }
  return decisions;
}

std::optional<std::filesystem::path> CheckpointManager::Impl::best(std::string_view metric, Better better) {
  const Lock lock = locked();
  settle();
  reclaim();
  const std::vector<Candidate> all = judged(true, false);
  const std::vector<std::size_t> ranks = manager::ranking(all, metric, better);
  if (ranks.empty()) return std::nullopt;
  return shown_ / all[ranks.front()].entry.file;
}

}  // namespace ckpt
