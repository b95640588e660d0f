// Saving: whether now, and under which number.
#include "graph/save.hpp"

#include "graph/restoration.hpp"
#include "manager/file_names.hpp"
#include "manager/impl.hpp"
#include "manager/load.hpp"

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
  InFlight& save = begin(request);
  SaveResult result{shown_ / save.entry.file, save.entry.number, {}, std::nullopt, {}};
  try {
    graph::save_counter(*checkpoint_) = save.counter;
    graph::save_objects(*checkpoint_, directory_.path() / save.entry.file, save.options,
                        [&](const Error& error) { return make_room(save, error); });
    save.entry.time = now();
    finish(save);
    result.deleted = std::move(save.deleted);
  } catch (...) {
    save.over = true;
    throw;
  }
  return result;
}

AsyncSaveResult CheckpointManager::Impl::save_async(const SaveRequest& request, SaveMode mode) {
  if (auto skipped = skip(request)) return {{}, {}, 0, skipped->reason, std::move(skipped->explanation)};
  if (!saver_) saver_ = std::make_unique<graph::BackgroundSaver>(checkpoint_, options_.async);
  InFlight& save = begin(request);
  AsyncSaveResult result{{}, shown_ / save.entry.file, save.entry.number, std::nullopt, {}};
  try {
    // Without the mutex: this waits for earlier saves, which need it to finish.
    result.pending =
        saver_->save_as(directory_.path() / save.entry.file, save.counter,
                        {save.options, mode, [this, &save](const std::filesystem::path&) { finish(save); }},
                        [this, &save](const Error& error) { return make_room(save, error); });
  } catch (...) {
    const Lock lock = locked();
    in_flight_.pop_back();
    throw;
  }
  const Lock lock = locked();
  save.pending = result.pending;
  return result;
}

void CheckpointManager::Impl::wait_for_saves() {
  drain();
  if (saver_) saver_->wait();
}

// Afterwards nobody else uses this object until the owner begins another save.
void CheckpointManager::Impl::drain() {
  require_owner();
  if (saver_) saver_->drain();
  const Lock lock = locked();
  settle();
}

void CheckpointManager::Impl::require_owner() const {
  if (!is_forked()) return;
  throw Error{ErrorCode::invalid_argument,
              {.problem = "the process was forked, and the directory belongs to the manager in the parent",
               .file = directory_.path(),
               .advice = "use the manager in the process that made it"}};
}

CheckpointManager::Impl::Lock CheckpointManager::Impl::locked() const {
  require_owner();
  return Lock{mutex_};
}

// Saves end in their order.
void CheckpointManager::Impl::settle() {
  const auto is_over = [](const InFlight& save) { return save.over || (save.pending && save.pending.is_done()); };
  while (!in_flight_.empty() && is_over(in_flight_.front())) {
    conclude(in_flight_.front());
    in_flight_.pop_front();
  }
}

void CheckpointManager::Impl::conclude(InFlight& save) {
  save.over = true;
  if (save.listed) return;
  const auto file = directory_.id_of(save.entry.file);
  if (file && file != save.before) enlist(save);
}

bool CheckpointManager::Impl::is_in_flight(const std::string& file) const {
  return std::ranges::any_of(in_flight_, [&](const InFlight& save) { return !save.over && save.entry.file == file; });
}

// A save on its way counts as if it had succeeded; one that failed is forgotten, and may be tried again at once.
std::optional<CheckpointManager::Impl::Skip> CheckpointManager::Impl::skip(const SaveRequest& request) {
  if (request.number && *request.number < 0) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "the number of a checkpoint cannot be negative", .found = std::to_string(*request.number)}};
  }
  const Lock lock = locked();
  settle();
  std::optional<std::int64_t> last = last_step_;
  if (!in_flight_.empty() && !in_flight_.back().over) last = in_flight_.back().step;
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
CheckpointManager::Impl::InFlight CheckpointManager::Impl::prepare(const SaveRequest& request) {
  InFlight save;
  save.options = request.options.value_or(options_.save);
  if (options_.step_counter) save.step = options_.step_counter.value();
  save.entry.time = now();
  if (!save.options.writer.step) save.options.writer.step = save.step;
  if (!save.options.writer.created_ns) save.options.writer.created_ns = nanoseconds_of(save.entry.time);
  directory_.require_at_path();
  require_nothing_waits();
  save.counter = graph::next_number(graph::save_counter(*checkpoint_));
  save.entry.number = request.number.value_or(save.counter);
  save.entry.file = manager::checkpoint_file(options_.name, save.entry.number);
  return save;
}

void CheckpointManager::Impl::claim(InFlight& save) {
  const std::string& file = save.entry.file;
  deletions_.cancel(file);  // or the thread would remove the new file
  reclaim();
  const bool replace = is_resumed() || written_.contains(file) || is_in_flight(file);
  if (!replace) require_no_earlier_run(file);
  save.options.writer.replace = save.options.writer.replace && replace;
  save.before = directory_.id_of(file);
}

CheckpointManager::Impl::InFlight& CheckpointManager::Impl::begin(const SaveRequest& request) {
  std::list<InFlight> added;
  InFlight& save = added.emplace_back(prepare(request));
  const Lock lock = locked();
  claim(save);
  in_flight_.splice(in_flight_.end(), added);
  return save;
}

// On the saver's thread, when the save is in the background. The values of the program, its clock and the saver itself
// are not to be used here.
void CheckpointManager::Impl::finish(InFlight& save) {
  const Lock lock{mutex_};
  directory_.require_at_path();
  reclaim();
  for (InFlight& earlier : in_flight_) {
    if (&earlier == &save) break;
    conclude(earlier);
  }
  save.over = true;
  enlist(save);
  apply(plan_sweep(), save);
  last_step_ = save.step;  // not before: a save that failed may be tried again at once
}

// The file is there: from here on the manager has it.
void CheckpointManager::Impl::enlist(InFlight& save) {
  const std::string& file = save.entry.file;
  facts_.insert_or_assign(file, manager::facts_of(save.options.writer));
  written_.insert(file);
  damaged_.erase(file);
  Entry entry = save.entry;
  if (const auto old = std::ranges::find(entries_, file, &Entry::file); old != entries_.end()) {
    *old = std::move(entry);
    std::rotate(old, old + 1, entries_.end());
  } else {
    entries_.push_back(std::move(entry));
  }
  save.listed = true;
  unwritten_ = true;
  for (InFlight& later : in_flight_) {
    if (later.entry.file == file) later.before = directory_.id_of(file);
  }
}

// Whether the program goes on from a checkpoint of this run, whatever it restores from elsewhere later. A file of
// another name in the same directory is of another run.
bool CheckpointManager::Impl::is_resumed() {
  const std::filesystem::path& source = checkpoint_->restored_from;
  if (!resumed_ && manager::number_of(options_.name, source.filename().native())) {
    resumed_ = directory_.is_at(os::parent_of(source));
  }
  return resumed_;
}

// The files of an earlier run must not disappear because a program forgot to restore: neither one whose number is used
// again, nor by and by, as older than those of the new run.
void CheckpointManager::Impl::require_no_earlier_run(const std::string& file) {
  const manager::Entries found = has_earlier_ ? manager::scan(directory_, options_.name) : manager::Entries{};
  has_earlier_ = !found.empty();  // they may have been moved away
  if (!has_earlier_ && !directory_.exists(file)) return;
  throw Error{ErrorCode::already_exists,
              {.problem = "there are checkpoints of an earlier run, and none of them was restored",
               .file = directory_.path() / (has_earlier_ ? found.front().file : file),
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
         .file = restoration.path(),
         .object = waiting.front(),
         .advice = "create the objects first (run the model once), or call expect_partial() on the status of the "
                   "restore if the values are not wanted any more"}};
  }
  restored_.reset();
}

}  // namespace ckpt
