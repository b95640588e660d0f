// Saving: whether now, under which number, and what goes afterwards.
#include "graph/save.hpp"

#include "graph/restoration.hpp"
#include "manager/file_names.hpp"
#include "manager/impl.hpp"
#include "manager/load.hpp"
#include "manager/paths.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <list>
#include <memory>
#include <utility>

namespace ckpt {

using manager::Entry;

namespace {

std::optional<std::int64_t> nanoseconds_of(double seconds) {
  if (std::abs(seconds) > 9e9) return std::nullopt;  // a clock of a test
  return static_cast<std::int64_t>(seconds * 1e9);
}

}  // namespace

SaveResult CheckpointManager::Impl::save(const SaveRequest& request) {
  if (auto skipped = skip(request)) return {{}, 0, {}, skipped->reason, std::move(skipped->explanation)};
  wait_for_saves();
  Ticket ticket = prepare(request);
  claim(request, ticket);
  graph::save_counter(*checkpoint_) = ticket.counter;
  graph::save_objects(*checkpoint_, directory_.path() / ticket.entry.file, ticket.options);
  ticket.entry.time = now();
  SaveResult result{shown_ / ticket.entry.file, ticket.entry.number, {}, std::nullopt, {}};
  result.deleted = enlist(ticket);
  return result;
}

AsyncSaveResult CheckpointManager::Impl::save_async(const SaveRequest& request, SaveMode mode) {
  if (auto skipped = skip(request)) return {{}, {}, 0, skipped->reason, std::move(skipped->explanation)};
  if (!saver_) saver_ = std::make_unique<graph::BackgroundSaver>(checkpoint_, options_.async);
  Ticket ticket = prepare(request);
  std::list<InFlight> added{{ticket.entry.file, ticket.step, {}, false}};
  InFlight& save = added.front();
  {
    const Lock lock = locked();
    claim(request, ticket);
    in_flight_.splice(in_flight_.end(), added);
  }
  AsyncSaveResult result{{}, shown_ / ticket.entry.file, ticket.entry.number, std::nullopt, {}};
  try {
    // Without the mutex: this waits for earlier saves, which need it to finish.
    result.pending = saver_->save_as(
        directory_.path() / ticket.entry.file, ticket.counter,
        {ticket.options, mode, [this, &save, ticket](const std::filesystem::path&) { finish(save, ticket); }});
  } catch (...) {
    const Lock lock = locked();
    in_flight_.pop_back();
    throw;
  }
  const Lock lock = locked();
  save.save = result.pending;
  return result;
}

void CheckpointManager::Impl::wait_for_saves() {
  drain();
  if (saver_) saver_->wait();
}

// Afterwards nobody else uses this object until the owner begins another save.
void CheckpointManager::Impl::drain() {
  if (!saver_) return;
  saver_->drain();
  in_flight_.clear();
}

CheckpointManager::Impl::Lock CheckpointManager::Impl::locked() const {
  if (!is_forked()) return Lock{mutex_};
  throw Error{ErrorCode::invalid_argument,
              {.problem = "the process was forked, and the manager's thread that saves is in the parent alone",
               .advice = "use the manager in the process that made it"}};
}

void CheckpointManager::Impl::forget_done() {
  std::erase_if(in_flight_, [](const InFlight& save) { return save.save && save.save.is_done(); });
}

bool CheckpointManager::Impl::is_in_flight(const std::string& file) const {
  return std::ranges::any_of(in_flight_, [&](const InFlight& save) { return !save.finished && save.file == file; });
}

// A save on its way counts as if it had succeeded; one that failed is forgotten, and may be tried again at once.
std::optional<CheckpointManager::Impl::Skip> CheckpointManager::Impl::skip(const SaveRequest& request) {
  if (request.number && *request.number < 0) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "the number of a checkpoint cannot be negative", .found = std::to_string(*request.number)}};
  }
  const Lock lock = locked();
  forget_done();
  std::optional<std::int64_t> last = last_step_;
  if (!in_flight_.empty() && !in_flight_.back().finished) last = in_flight_.back().step;
  if (!options_.checkpoint_interval || !last) return std::nullopt;
  const std::int64_t step = options_.step_counter.value();
  const std::int64_t interval = *options_.checkpoint_interval;
  if (step == *last) return Skip{SkipReason::same_step, "step " + std::to_string(step) + " was saved already"};
  const bool never = *last > std::numeric_limits<std::int64_t>::max() - interval;
  if (!request.check_interval || (!never && step >= *last + interval)) return std::nullopt;
  return Skip{SkipReason::too_early, "step " + std::to_string(step) + " is less than " + std::to_string(interval) +
                                         " steps after the last save, at " + std::to_string(*last)};
}

// All that a save needs of the program.
CheckpointManager::Impl::Ticket CheckpointManager::Impl::prepare(const SaveRequest& request) {
  Ticket ticket;
  ticket.options = request.options.value_or(options_.save);
  if (options_.step_counter) ticket.step = options_.step_counter.value();
  ticket.entry.time = now();
  if (!ticket.options.writer.step) ticket.options.writer.step = ticket.step;
  if (!ticket.options.writer.created_ns) ticket.options.writer.created_ns = nanoseconds_of(ticket.entry.time);
  directory_.require_at_path();
  require_nothing_waits();
  ticket.counter = graph::next_number(graph::save_counter(*checkpoint_));
  ticket.entry.number = request.number.value_or(ticket.counter);
  ticket.entry.file = manager::checkpoint_file(options_.name, ticket.entry.number);
  return ticket;
}

void CheckpointManager::Impl::claim(const SaveRequest& request, Ticket& ticket) {
  const std::string& file = ticket.entry.file;
  deletions_.cancel(file);  // or the thread would remove the new file
  reclaim();
  const bool replace = request.number.has_value() || may_replace(file);
  if (!replace) require_new(file);
  ticket.options.writer.replace = ticket.options.writer.replace && replace;
}

// The file is there: from here on the manager has it.
std::vector<std::filesystem::path> CheckpointManager::Impl::enlist(const Ticket& ticket) {
  const std::string& file = ticket.entry.file;
  written_.insert(file);
  facts_.insert_or_assign(file, manager::facts_of(ticket.options.writer));
  std::erase_if(entries_, [&](const Entry& entry) { return entry.file == file; });
  entries_.push_back(ticket.entry);
  std::vector<std::filesystem::path> deleted = sweep(ticket.options.writer.durable);
  last_step_ = ticket.step;  // not before: a save that failed may be tried again at once
  return deleted;
}

// On the saver's thread. The values of the program, its clock and the saver itself are not to be used here.
void CheckpointManager::Impl::finish(InFlight& save, const Ticket& ticket) {
  const Lock lock{mutex_};
  save.finished = true;
  directory_.require_at_path();
  reclaim();
  enlist(ticket);
}

// A file of an earlier run must not disappear because a program forgot to restore and counts from 1 again.
bool CheckpointManager::Impl::may_replace(const std::string& file) const {
  if (written_.contains(file) || is_in_flight(file)) return true;
  const std::filesystem::path& source = checkpoint_->restored_from;
  return !source.empty() && manager::same_directory(os::parent_of(source), directory_.path());
}

void CheckpointManager::Impl::require_new(const std::string& file) const {
  if (!directory_.exists(file)) return;
  throw Error{
      ErrorCode::already_exists,
      {.problem = "a checkpoint of an earlier run has this number, and nothing was restored from this directory",
       .file = directory_.path() / file,
       .advice = "call restore_or_initialize() before the first save to continue that run, or use another "
                 "directory or name for a new one"}};
}

// What a restore brought and no object has taken yet would be missing from the new file, and rotation would in time
// remove the last file that has it.
void CheckpointManager::Impl::require_nothing_waits() {
  if (!restored_) return;
  const graph::Restoration& restoration = *graph::Access::restoration(*restored_);
  const std::vector<std::string> waiting =
      restoration.expects_partial() ? std::vector<std::string>{} : restoration.pending();
  if (!waiting.empty()) {
    throw Error{
        ErrorCode::invalid_argument,
        {.problem =
             std::to_string(waiting.size()) +
             " restored value(s), this one first, still wait for their objects: the new checkpoint would lack them",
         .file = restoration.reader().path(),
         .object = waiting.front(),
         .advice = "create the objects first (run the model once), or call expect_partial() on the status of the "
                   "restore if the values are not wanted any more"}};
  }
  restored_.reset();
}

// The state that is written still lists what is removed afterwards, so that a crash in between leaves nothing that
// nobody knows: readers of the state leave out files that are gone, and the next manager judges anew those that are
// not.
std::vector<std::filesystem::path> CheckpointManager::Impl::sweep(bool durable) {
  const std::vector<manager::Candidate> all = judged(manager::needs_facts(rules_), rules_.max_to_keep.has_value());
  const manager::RetentionPlan plan = manager::plan_retention(all, rules_, last_preserved_);
  manager::State state{entries_, plan.last_preserved, rules_};
  std::set<std::string> leaving = leaving_;
  std::vector<std::string> files;
  std::vector<std::filesystem::path> paths;
  auto verdict = plan.verdicts.begin();
  for (Entry& entry : state.entries) {
    if (is_leaving(entry)) continue;
    entry.standing = verdict->standing;
    // A file that is about to be replaced stays: its removal could meet the new one.
    const bool keep = verdict++->keep || is_in_flight(entry.file);
    if (keep) continue;
    leaving.insert(entry.file);
    files.push_back(entry.file);
    paths.push_back(shown_ / entry.file);
  }
  write_state(state, durable);

  // The state is in its place: nothing below is undone.
  entries_ = std::move(state.entries);
  leaving_ = std::move(leaving);
  last_preserved_ = plan.last_preserved;
  deletions_.schedule(files, durable);
  return paths;
}

void CheckpointManager::Impl::write_state(const manager::State& state, bool durable) {
  manager::write_state(directory_, options_.name, state, durable);
  unwritten_ = false;
}

// Files that were to be removed and are still there are judged by the next sweep.
void CheckpointManager::Impl::reclaim() {
  const manager::Deletions::Outcome outcome = deletions_.take_outcome();
  for (const std::string& file : outcome.removed) {
    std::erase_if(entries_, [&](const Entry& entry) { return entry.file == file; });
    leaving_.erase(file);
    written_.erase(file);
    facts_.erase(file);
  }
  for (const std::string& file : outcome.left) leaving_.erase(file);
}

}  // namespace ckpt
