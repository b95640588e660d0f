// Saving: whether now, under which number, and what goes afterwards.
#include "graph/save.hpp"

#include "graph/restoration.hpp"
#include "manager/file_names.hpp"
#include "manager/impl.hpp"
#include "manager/paths.hpp"
#include "os/replacement_file.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <span>
#include <utility>

namespace ckpt {

using manager::Entry;
using manager::Standing;

namespace {

std::optional<std::int64_t> nanoseconds_of(double seconds) {
  if (std::abs(seconds) > 9e9) return std::nullopt;  // a clock of a test
  return static_cast<std::int64_t>(seconds * 1e9);
}

}  // namespace

SaveResult CheckpointManager::Impl::save(const SaveRequest& request) {
  if (request.number && *request.number < 0) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "the number of a checkpoint cannot be negative", .found = std::to_string(*request.number)}};
  }
  if (auto skipped = skip(request.check_interval)) return *std::move(skipped);
  SaveOptions options = request.options.value_or(options_.save);
  const std::optional<std::int64_t> step =
      options_.step_counter ? std::optional{options_.step_counter.value()} : std::nullopt;
  if (!options.writer.step) options.writer.step = step;
  if (!options.writer.created_ns) options.writer.created_ns = nanoseconds_of(now());
  SaveResult result = write(request.number, std::move(options));
  last_step_ = step;  // not before: a save that failed may be tried again at once
  return result;
}

std::optional<SaveResult> CheckpointManager::Impl::skip(bool check_interval) const {
  if (!options_.checkpoint_interval || !last_step_) return std::nullopt;
  const std::int64_t step = options_.step_counter.value();
  const std::int64_t interval = *options_.checkpoint_interval;
  SaveResult result;
  if (step == *last_step_) {
    result.skipped = SkipReason::same_step;
    result.explanation = "step " + std::to_string(step) + " was saved already";
    return result;
  }
  const bool never = *last_step_ > std::numeric_limits<std::int64_t>::max() - interval;
  if (!check_interval || (!never && step >= *last_step_ + interval)) return std::nullopt;
  result.skipped = SkipReason::too_early;
  result.explanation = "step " + std::to_string(step) + " is less than " + std::to_string(interval) +
                       " steps after the last save, at " + std::to_string(*last_step_);
  return result;
}

SaveResult CheckpointManager::Impl::write(std::optional<std::int64_t> wanted, SaveOptions options) {
  directory_.require_at_path();
  require_nothing_waits();
  Variable<std::int64_t> counter = graph::save_counter(*checkpoint_);
  const std::int64_t next = graph::next_number(counter);
  const std::int64_t number = wanted.value_or(next);
  const std::string file = manager::checkpoint_file(options_.name, number);
  deletions_.cancel(file);  // or the thread would remove the new file
  reclaim();
  const bool replace = wanted.has_value() || may_replace(file);
  if (!replace) require_new(file);
  counter = next;
  options.writer.replace = options.writer.replace && replace;
  graph::save_objects(*checkpoint_, directory_.path() / file, options);
  written_.insert(file);
  facts_.insert_or_assign(file, manager::facts_of(options.writer));
  std::erase_if(entries_, [&](const Entry& entry) { return entry.file == file; });
  entries_.push_back({file, number, now(), Standing::active});
  SaveResult result{shown_ / file, number, {}, std::nullopt, {}};
  result.deleted = sweep(options.writer.durable);
  return result;
}

// A file of an earlier run must not disappear because a program forgot to restore and counts from 1 again.
bool CheckpointManager::Impl::may_replace(const std::string& file) const {
  if (written_.contains(file)) return true;
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
  const std::vector<manager::Candidate> all = judged(manager::needs_facts(options_), options_.max_to_keep.has_value());
  const manager::RetentionPlan plan = manager::plan_retention(all, options_, last_preserved_);
  manager::Entries kept;
  manager::Entries leaving;
  for (std::size_t i = 0; i < all.size(); ++i) {
    manager::Entries& to = plan.verdicts[i].keep ? kept : leaving;
    to.push_back(all[i].entry);
    to.back().standing = plan.verdicts[i].standing;
  }
  manager::State state{leaving_, plan.last_preserved};
  state.entries.insert(state.entries.end(), leaving.begin(), leaving.end());
  state.entries.insert(state.entries.end(), kept.begin(), kept.end());
  write_state(state, durable);

  // The state is in its place: nothing below is undone.
  entries_ = std::move(kept);
  last_preserved_ = plan.last_preserved;
  std::vector<std::string> files;
  std::vector<std::filesystem::path> paths;
  for (const Entry& entry : leaving) {
    files.push_back(entry.file);
    paths.push_back(shown_ / entry.file);
  }
  leaving_.insert(leaving_.end(), leaving.begin(), leaving.end());
  deletions_.schedule(files, durable);
  return paths;
}

void CheckpointManager::Impl::write_state(const manager::State& state, bool durable) const {
  const std::string text = manager::format_state(state);
  os::write_file_atomically(directory_.path() / manager::state_file(options_.name), std::as_bytes(std::span{text}),
                            durable);
}

// Files that were to be removed and are still there go back into the list, for the next sweep to judge.
void CheckpointManager::Impl::reclaim() {
  const manager::Deletions::Outcome outcome = deletions_.take_outcome();
  for (const std::string& file : outcome.removed) {
    std::erase_if(leaving_, [&](const Entry& entry) { return entry.file == file; });
    written_.erase(file);
    facts_.erase(file);
  }
  const std::set<std::string> left{outcome.left.begin(), outcome.left.end()};
  manager::Entries back;
  std::ranges::copy_if(leaving_, std::back_inserter(back),
                       [&](const Entry& entry) { return left.contains(entry.file); });
  std::erase_if(leaving_, [&](const Entry& entry) { return left.contains(entry.file); });
  entries_.insert(entries_.begin(), back.begin(), back.end());
}

}  // namespace ckpt
