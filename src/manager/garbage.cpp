#include "manager/facts.hpp"
#include "manager/file_names.hpp"
#include "manager/inventory.hpp"
#include "manager/load.hpp"
#include "manager/retention.hpp"
#include "os/directory.hpp"

#include <ckpt/garbage.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace ckpt {
namespace {

using manager::Candidate;
using manager::Entry;
using manager::RunFiles;

/// A run, and what its rules say.
struct Judgement {
  std::string name;
  std::vector<Candidate> candidates;
  manager::RetentionPlan plan;
  std::string held_back;
  RetentionRules rules;

  bool lets_go() const {
    return std::ranges::any_of(plan.verdicts, [](const manager::Verdict& verdict) { return !verdict.keep; });
  }
};

os::DirectoryLock lock_for_removal(const os::Directory& directory) {
  try {
    return {directory, manager::kLockFile};
  } catch (const Error& error) {
    if (error.code() != ErrorCode::busy) throw;
    ErrorDetails details = error.details();
    details.problem = "a manager is running here, and removes by itself what its rules let go of";
    details.advice = "wait until its program has ended, or end it";
    throw Error{ErrorCode::busy, std::move(details)};
  }
}

// A clock that is behind makes checkpoints stay for ever. That is for the next manager to find out, not for a machine
// that only cleans up.
double now_for(const manager::State& state) {
  double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  now = std::max(now, state.last_preserved.value_or(now));
  for (const Entry& entry : state.entries) now = std::max(now, entry.time);
  return now;
}

std::string why_unknown(const RunFiles& run) {
  if (run.state_problem) return "which of them a manager listed is not known: " + run.state_problem->details().problem;
  return run.state.rules ? ""
                         : "the state file records no rules: it is of an older release, and the next save adds them";
}

// A save removes after it has written a whole checkpoint. Here nobody has seen one, and a restore that passes over
// damaged ones may need what the rules let go.
void keep_what_is_needed(const os::Directory& directory, Judgement& judged, const manager::Progress& progress) {
  for (std::size_t i = judged.candidates.size(); i-- > 0 && judged.lets_go();) {
    manager::Verdict& verdict = judged.plan.verdicts[i];
    const std::filesystem::path file = directory.path() / judged.candidates[i].entry.file;
    if (verdict.keep && !manager::verify_file(file, progress)) return;
    if (verdict.keep) continue;
    verdict.keep = true;
    verdict.reasons = {"no newer one that stays is whole"};
  }
}

Judgement judge(const os::Directory& directory, const std::string& name, RunFiles& run,
                const manager::Progress& progress) {
  Judgement judged{name, {}, {}, why_unknown(run), run.state.rules.value_or(RetentionRules{})};
  if (run.state_problem) return judged;
  manager::settle(directory, name, run.state, now_for(run.state));
  for (const Entry& entry : run.state.entries) {
    Candidate& candidate = judged.candidates.emplace_back(Candidate{entry, {}, run.pins.contains(entry.number)});
    if (manager::needs_facts(judged.rules)) candidate.facts = manager::read_facts(directory.path() / entry.file);
  }
  if (run.state.rules) {
    judged.plan = manager::plan_retention(judged.candidates, judged.rules, *run.state.last_preserved);
    keep_what_is_needed(directory, judged, progress);
  } else {
    judged.plan.verdicts.assign(judged.candidates.size(), {true, manager::Standing::active, {judged.held_back}});
  }
  return judged;
}

RunRetention retention_of(const os::Directory& directory, const Judgement& judged) {
  RunRetention run{judged.name, {}, judged.held_back};
  for (std::size_t i = 0; i < judged.candidates.size(); ++i) {
    const Entry& entry = judged.candidates[i].entry;
    const manager::Verdict& verdict = judged.plan.verdicts[i];
    run.decisions.push_back({directory.path() / entry.file, entry.number, verdict.keep, verdict.reasons});
  }
  return run;
}

class Collector {
 public:
  Collector(const os::Directory& directory, GarbageReport& report) : directory_{directory}, report_{report} {}

  void add_temporaries(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      if (os::lock_holder(directory_, name) != os::LockHolder::nobody) continue;
      add(name, GarbageKind::temporary, "left by a save that was killed");
    }
  }

  void add_checkpoints(const RunRetention& run) {
    for (const RetentionDecision& decision : run.decisions) {
      if (!decision.keep) add(decision.file.filename(), GarbageKind::checkpoint, decision.reasons.front());
    }
  }

  // One with a larger number than any checkpoint may be meant for one to come.
  void add_pins(const std::string& name, const RunFiles& run) {
    for (const std::int64_t number : run.pins) {
      const std::string file = manager::checkpoint_file(name, number);
      if (number > run.largest || directory_.exists(file)) continue;
      add(manager::pin_file(file), GarbageKind::pin, "its checkpoint is gone");
    }
  }

 private:
  void add(const std::string& name, GarbageKind kind, std::string reason) {
    const auto status = directory_.status(name);
    if (!status || (status->is_directory && kind != GarbageKind::checkpoint)) return;
    report_.garbage.push_back({directory_.path() / name, kind, status->bytes, std::move(reason)});
  }

  const os::Directory& directory_;
  GarbageReport& report_;
};

// As a manager's sweep: what goes is still listed, in its place, so that a crash in between leaves nothing that nobody
// knows.
void write_list(const os::Directory& directory, const Judgement& judged) {
  manager::State state{{}, judged.plan.last_preserved, judged.rules};
  for (std::size_t i = 0; i < judged.candidates.size(); ++i) {
    state.entries.push_back(judged.candidates[i].entry);
    state.entries.back().standing = judged.plan.verdicts[i].standing;
  }
  manager::write_state(directory, judged.name, state, true);
}

void remove(const os::Directory& directory, Garbage& garbage) {
  const std::string name = garbage.file.filename();
  try {
    garbage.removed =
        garbage.kind == GarbageKind::temporary ? os::remove_stale_temporary(directory, name) : directory.remove(name);
  } catch (const Error& error) {
    garbage.failure = error;
  }
}

}  // namespace

GarbageReport collect_garbage(const std::filesystem::path& directory, const GarbageOptions& options) {
  const os::Directory opened = os::Directory::open(directory);
  std::optional<os::DirectoryLock> lock;
  if (options.apply) {
    static_cast<void>(manager::take_inventory(opened));  // throws where no manager was: no lock is to be made there
    lock = lock_for_removal(opened);
  }
  manager::Inventory inventory = manager::take_inventory(opened);
  GarbageReport report;
  report.manager_runs = !options.apply && os::lock_holder(opened, manager::kLockFile) == os::LockHolder::somebody;
  Collector collector{opened, report};
  collector.add_temporaries(inventory.temporaries);
  std::vector<Judgement> judgements;
  for (auto& [name, run] : inventory.runs) {
    const Judgement& judged = judgements.emplace_back(judge(opened, name, run, options.progress));
    const RunRetention& retention = report.runs.emplace_back(retention_of(opened, judged));
    collector.add_checkpoints(retention);
    collector.add_pins(name, run);
  }
  if (!options.apply || report.garbage.empty()) return report;
  opened.require_at_path();
  for (const Judgement& judged : judgements) {
    if (judged.lets_go()) write_list(opened, judged);
  }
  for (Garbage& garbage : report.garbage) remove(opened, garbage);
  opened.sync();
  return report;
}

}  // namespace ckpt
