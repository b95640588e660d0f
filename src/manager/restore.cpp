// Restoring the newest checkpoint that is whole.
#include "base/log.hpp"
#include "base/text.hpp"
#include "graph/save.hpp"
#include "graph/walk.hpp"
#include "manager/impl.hpp"
#include "manager/load.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

namespace ckpt {
namespace {

using manager::Entries;
using manager::Entry;

/// Whether an older checkpoint should be tried when opening and checking this one fails so: the file itself is bad,
/// gone or no file at all, and not the program or the system.
bool is_damage(const Error& error) {
  switch (error.code()) {
    case ErrorCode::unsupported:
      return false;
    case ErrorCode::io:
      return error.details().system_error == EIO;
    default:
      return true;
  }
}

// Variables without a value go on as the program initialised them.
void warn(const RestoreResult& result) {
  const std::string file = base::escape(result.path->string());
  if (const std::vector<std::string> paths = result.status->unmatched_in_program(); !paths.empty()) {
    base::log(LogLevel::warning, file + ": variables of the program got no value (" + std::to_string(paths.size()) +
                                     "): " + graph::list_paths(paths));
  }
  if (!result.skipped.empty()) base::log(LogLevel::warning, "restored an older checkpoint instead: " + file);
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
  RestoreOptions options = options_.restore;
  if (options.verify == Verify::full) options.verify = Verify::lazy;
  options.check_first = false;  // the whole file is checked here
  for (const Entry& candidate : candidates()) {
    const std::filesystem::path path = directory_.path() / candidate.file;
    try {
      // By explicit reads: where the disk fails they give an error, and a mapping gives a signal.
      static_cast<void>(Reader::open(path, {.mode = ReadMode::read, .verify = Verify::full}));
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
      base::log(LogLevel::warning, std::string{"passing over a checkpoint: "} + error.what());
      result.skipped.push_back({shown_ / candidate.file, error});
      if (directory_.exists(candidate.file)) {
        damaged = damaged ? damaged : std::optional{error};
      } else {
        forget({candidate.file});
      }
      continue;
    }
    result.path = shown_ / candidate.file;
    result.status = graph::restore_with_counter(*checkpoint_, graph::open_for(path, options), options);
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
