// What goes: after a save, and before one that finds the disk full.
#include "base/log.hpp"
#include "base/text.hpp"
#include "manager/impl.hpp"
#include "manager/inventory.hpp"
#include "manager/load.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <cerrno>
#include <ranges>
#include <string_view>
#include <utility>

namespace ckpt {
namespace {

using manager::Entry;

bool lacks_room(const Error& error) {
  return error.details().system_error == ENOSPC || error.details().system_error == EDQUOT;
}

}  // namespace

CheckpointManager::Impl::Sweep CheckpointManager::Impl::plan_sweep() {
  const std::vector<manager::Candidate> all = judged(manager::needs_facts(rules_), rules_.max_to_keep.has_value());
  const manager::RetentionPlan plan = manager::plan_retention(all, rules_, last_preserved_);
  Sweep sweep{{entries_, plan.last_preserved, rules_}, leaving_, {}};
  auto verdict = plan.verdicts.begin();
  for (Entry& entry : sweep.state.entries) {
    if (is_leaving(entry)) continue;
    entry.standing = verdict->standing;
    // A file that is about to be replaced stays: its removal could meet the new one.
    const bool keep = verdict++->keep || is_in_flight(entry.file);
    if (keep) continue;
    sweep.leaving.insert(entry.file);
    sweep.files.push_back(entry.file);
  }
  return sweep;
}

// The state that is written still lists what is removed afterwards, so that a crash in between leaves nothing that
// nobody knows: readers of the state leave out files that are gone, and the next manager judges anew those that are
// not.
void CheckpointManager::Impl::apply(Sweep sweep, InFlight& save) {
  const bool durable = save.options.writer.durable;
  std::vector<std::filesystem::path> deleted = save.deleted;
  for (const std::string& file : sweep.files) deleted.push_back(shown_ / file);
  bool written = true;
  try {
    write_state(sweep.state, durable);
  } catch (const Error& error) {
    // Without room for the list, what goes has to go first. A crash in between leaves the list of before, which does
    // without the files that are gone; a new one is found by its name.
    if (!lacks_room(error) || sweep.leaving.empty()) throw;
    written = false;
  }

  // Nothing below is undone.
  entries_ = std::move(sweep.state.entries);
  leaving_ = std::move(sweep.leaving);
  last_preserved_ = *sweep.state.last_preserved;
  save.deleted = std::move(deleted);
  deletions_.schedule(std::move(sweep.files), durable);
  if (written) return;
  unwritten_ = true;
  deletions_.wait();
  write_state({entries_, last_preserved_, rules_}, durable);
}

// The file of a save could not be written. Where the disk is full, what the rules let go of without it is removed
// before it is there. Returns whether that gave room, so that another try makes sense. What fails here is a line in the
// log: the error is that of the save.
bool CheckpointManager::Impl::make_room(InFlight& save, const Error& error) {
  if (!lacks_room(error)) return false;
  base::log(LogLevel::warning, "no room for " + base::escape_path(directory_.path() / save.entry.file) +
                                   ": looking for old checkpoints that may go before it is written");
  try {
    return remove_first(save);
  } catch (const Error& other) {
    base::log(LogLevel::warning, std::string{"no room was made: "} + other.what());
    return false;
  }
}

bool CheckpointManager::Impl::remove_first(InFlight& save) {
  Lock lock{mutex_};
  if (directory_.id_of(save.entry.file) != save.before) return false;  // it is in its place all the same
  directory_.require_at_path();
  deletions_.wait();
  const bool made = reclaim();
  if (plan_sweep().files.empty()) return made;
  // All of it is read: only for something that may go.
  lock.unlock();
  if (!is_newest_whole()) return made;
  lock.lock();
  directory_.require_at_path();
  Sweep sweep = plan_sweep();
  if (sweep.files.empty()) return made;
  apply(std::move(sweep), save);
  deletions_.wait();
  return reclaim() || made;
}

// A sweep comes after a file that is whole. Without one, a restore may need what the rules let go of.
bool CheckpointManager::Impl::is_newest_whole() {
  while (true) {
    Lock lock{mutex_};
    const std::optional<std::string> file = newest_that_counts();
    if (!file) return false;
    if (written_.contains(*file) || verified_.contains(*file)) return true;
    if (!directory_.exists(*file)) {
      forget({*file});
      continue;
    }
    lock.unlock();
    const std::optional<Error> problem = manager::find_damage(directory_.path() / *file);
    if (problem) {
      pass_over(*file, *problem);
      continue;
    }
    lock.lock();
    verified_.insert(*file);
    return true;
  }
}

std::optional<std::string> CheckpointManager::Impl::newest_that_counts() const {
  for (const Entry& entry : std::views::reverse(entries_)) {
    if (!is_leaving(entry) && !damaged_.contains(entry.file)) return entry.file;
  }
  return std::nullopt;
}

void CheckpointManager::Impl::write_state(const manager::State& state, bool durable) {
  manager::write_state(directory_, options_.name, state, durable);
  unwritten_ = false;
}

// All at once: there may be many.
void CheckpointManager::Impl::forget(const std::list<std::string>& files) {
  if (files.empty()) return;
  const std::set<std::string_view> gone{files.begin(), files.end()};
  std::erase_if(entries_, [&](const Entry& entry) { return gone.contains(entry.file); });
  for (const std::string& file : files) {
    leaving_.erase(file);
    written_.erase(file);
    verified_.erase(file);
    facts_.erase(file);
    damaged_.erase(file);
  }
}

// Files that were to be removed and are still there are judged by the next sweep. Returns whether any was removed.
bool CheckpointManager::Impl::reclaim() {
  const manager::Deletions::Outcome outcome = deletions_.take_outcome();
  forget(outcome.removed);
  for (const std::string& file : outcome.left) leaving_.erase(file);
  return !outcome.removed.empty();
}

}  // namespace ckpt
