// Restoring the newest checkpoint that is whole.
#include "base/log.hpp"
#include "base/text.hpp"
#include "graph/save.hpp"
#include "graph/walk.hpp"
#include "manager/impl.hpp"
#include "manager/inventory.hpp"
#include "manager/load.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace ckpt {
namespace {

using manager::Entries;
using manager::Entry;

// Variables without a value go on as the program initialised them.
void warn(const RestoreResult& result) {
  const std::string file = base::escape_path(*result.path);
  if (const std::vector<std::string> paths = result.status->unmatched_in_program(); !paths.empty()) {
    base::log(LogLevel::warning, file + ": variables of the program got no value (" + std::to_string(paths.size()) +
                                     "): " + graph::list_paths(paths));
  }
  if (result.skipped.empty()) return;
  base::log(LogLevel::warning,
            "restored an older checkpoint instead: " + file +
                "; those that are damaged count for no rule, and stay until a save takes their number: to see what can "
                "be saved of them, copy them before");
}

void warn_if_wanted(const RestoreResult& result) noexcept {
  if (!base::is_logging()) return;  // the list costs a walk
  try {
    warn(result);
  } catch (...) {  // NOLINT(bugprone-empty-catch): for a line of the log no restore fails that has been done
  }
}

}  // namespace

// Newest first, also those that are not in the list.
Entries CheckpointManager::Impl::candidates() const {
  Entries all = manager::in_order(manager::scan(directory_, options_.name), entries_);
  std::ranges::reverse(all);
  return all;
}

RestoreResult CheckpointManager::Impl::restore() {
  drain();
  // An old file that waits for its removal may be the newest that is whole.
  deletions_.cancel_all();
  reclaim();
  RestoreResult result;
  std::optional<Error> damaged;  // the newest; what was removed by hand is no checkpoint any more
  for (const Entry& candidate : candidates()) {
    const std::filesystem::path path = directory_.path() / candidate.file;
    const auto restore_it = [&](const RestoreOptions& options) {
      // Before the restore: what is done must not fail for want of memory.
      verified_.insert(candidate.file);
      result.path = shown_ / candidate.file;
      result.status = graph::restore_with_counter(*checkpoint_, graph::open_for(path, options), options);
    };
    if (const auto problem = manager::restore_if_whole(path, options_.restore, restore_it)) {
      pass_over(candidate.file, *problem);
      result.path.reset();
      result.skipped.push_back({shown_ / candidate.file, *problem});
      if (directory_.exists(candidate.file)) {
        damaged = damaged ? damaged : problem;
      } else {
        forget({candidate.file});
      }
      continue;
    }
    damaged_.erase(candidate.file);
    restored_ = result.status;
    resumed_ = true;
    if (options_.step_counter) last_step_ = options_.step_counter.value();
    adopt(candidate);
    write_if_unwritten();
    warn_if_wanted(result);
    return result;
  }
  if (damaged) {
    throw Error{
        ErrorCode::corrupt,
        {.problem = "there are checkpoints, and none of them is whole; the newest: " + std::string{damaged->what()},
         .file = directory_.path(),
         .advice = "move them away to start afresh"}};
  }
  if (options_.init_fn) options_.init_fn();
  return result;
}

// From here on the file counts for no rule: it would take the place of one that is whole.
void CheckpointManager::Impl::pass_over(const std::string& file, const Error& problem) {
  base::log(LogLevel::warning, std::string{"passing over a checkpoint: "} + problem.what());
  const Lock lock{mutex_};
  damaged_.insert(file);
  verified_.erase(file);  // its sums were right, and it could not be unpacked
}

// A checkpoint that a kill kept out of the list belongs to this run once it was restored. An older file that was not
// listed stays unmanaged.
void CheckpointManager::Impl::adopt(const Entry& restored) {
  const auto is_older = [&](const Entry& entry) { return entry.number > restored.number; };
  if (in_list(restored.file) || std::ranges::any_of(entries_, is_older)) return;
  Entry entry = restored;
  manager::Facts spare;
  const double time = now();
  entry.time = std::min(time, facts_of(entry.file, spare).created().value_or(time));
  entries_.push_back(std::move(entry));
  unwritten_ = true;
}

// If the next save were killed between its file and the state, there would be two files that nobody knows, and the
// older one would be left alone for ever.
void CheckpointManager::Impl::write_if_unwritten() {
  if (!unwritten_) return;
  try {
    write_state({entries_, last_preserved_, rules_}, options_.save.writer.durable);
  } catch (const Error& error) {  // a full disk: the values are restored all the same
    base::log(LogLevel::warning, error.what());
  }
}

}  // namespace ckpt
