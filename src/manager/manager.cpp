#include "base/log.hpp"
#include "base/text.hpp"
#include "graph/access.hpp"
#include "graph/restoration.hpp"
#include "graph/save.hpp"
#include "manager/file_names.hpp"
#include "manager/state.hpp"
#include "os/directory.hpp"
#include "os/replacement_file.hpp"

#include <ckpt/error.hpp>
#include <ckpt/manager.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <set>
#include <span>
#include <utility>

namespace ckpt {
namespace {

using manager::Entries;
using manager::Entry;

constexpr const char* kLockFile = ".ckpt.lock";

ManagerOptions checked(ManagerOptions options) {
  manager::require_manager_name(options.name);
  if (options.max_to_keep && *options.max_to_keep < 1) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "max_to_keep must be at least 1, or nothing to keep all",
                 .found = std::to_string(*options.max_to_keep)}};
  }
  return options;
}

std::shared_ptr<graph::CheckpointState> state_of(const Checkpoint& checkpoint) {
  const auto& state = graph::Access::state(checkpoint);
  if (!state) throw Error{ErrorCode::invalid_argument, {.problem = "the Checkpoint was moved from"}};
  graph::require_root(*state);
  return state;
}

std::optional<std::size_t> keep_of(const ManagerOptions& options) {
  if (!options.max_to_keep) return std::nullopt;
  return static_cast<std::size_t>(*options.max_to_keep);
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

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

// Files are written by path and removed through the open directory: both have to mean the same one, also after a chdir.
std::filesystem::path absolute_path(const std::filesystem::path& path) {
  std::error_code failed;
  std::filesystem::path result = std::filesystem::absolute(path, failed);
  return failed ? path : result;
}

// Another process may have made the directory and been killed before it made that durable.
void make_entry_durable(const os::Directory& directory) {
  try {
    os::Directory::open(os::parent_of(directory.path())).sync();
  } catch (const Error& error) {  // a parent that may not be opened was not made by this library
    base::log(LogLevel::info, error.what());
  }
}

bool same_directory(const std::filesystem::path& a, const std::filesystem::path& b) {
  const auto normal = [](const std::filesystem::path& path) { return (absolute_path(path) / "").lexically_normal(); };
  return normal(a) == normal(b);
}

}  // namespace

class CheckpointManager::Impl {
 public:
  Impl(Checkpoint& checkpoint, const std::filesystem::path& path, ManagerOptions options)
      : checkpoint_{state_of(checkpoint)},
        options_{checked(std::move(options))},
        shown_{path.empty() ? "." : path},
        directory_{os::Directory::create_all(absolute_path(shown_))},
        lock_{directory_, kLockFile} {
    make_entry_durable(directory_);
    for (const std::string& name : os::remove_stale_temporaries(directory_)) {
      base::log(LogLevel::info, "removed the temporary file of a save that was killed: " + base::escape(name));
    }
    entries_ = manager::load_state(directory_, options_.name, keep_of(options_));
  }

  const ManagerOptions& options() const noexcept { return options_; }
  const std::filesystem::path& shown() const noexcept { return shown_; }
  const Entries& entries() const noexcept { return entries_; }

  SaveResult save(std::optional<std::int64_t> wanted, SaveOptions options);
  RestoreResult restore();

 private:
  bool in_list(const std::string& file) const {
    return std::ranges::find(entries_, file, &Entry::file) != entries_.end();
  }
  bool may_replace(const std::string& file) const;
  void require_new(const std::string& file) const;
  void require_nothing_waits();
  void write_state(bool durable) const;
  std::vector<std::filesystem::path> rotate(bool durable);
  Entries candidates() const;
  void adopt(const Entry& restored);

  std::shared_ptr<graph::CheckpointState> checkpoint_;
  ManagerOptions options_;
  std::filesystem::path shown_;  // the directory as the caller wrote it
  os::Directory directory_;      // absolute
  os::DirectoryLock lock_;
  Entries entries_;                        // oldest first
  std::set<std::string> written_;          // by this manager
  std::optional<RestoreStatus> restored_;  // until a save has seen that nothing waits any more
};

SaveResult CheckpointManager::Impl::save(std::optional<std::int64_t> wanted, SaveOptions options) {
  if (wanted && *wanted < 0) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "the number of a checkpoint cannot be negative", .found = std::to_string(*wanted)}};
  }
  directory_.require_at_path();
  require_nothing_waits();
  Variable<std::int64_t> counter = graph::save_counter(*checkpoint_);
  const std::int64_t next = graph::next_number(counter);
  const std::int64_t number = wanted.value_or(next);
  const std::string file = manager::checkpoint_file(options_.name, number);
  const bool replace = wanted.has_value() || may_replace(file);
  if (!replace) require_new(file);
  counter = next;
  const std::filesystem::path path = directory_.path() / file;
  options.writer.replace = options.writer.replace && replace;
  graph::save_objects(*checkpoint_, path, options);
  written_.insert(file);
  std::erase_if(entries_, [&](const Entry& entry) { return entry.file == file; });
  entries_.push_back({file, number, now()});
  write_state(options.writer.durable);
  return {shown_ / file, number, rotate(options.writer.durable)};
}

// A file of an earlier run must not disappear because a program forgot to restore and counts from 1 again.
bool CheckpointManager::Impl::may_replace(const std::string& file) const {
  if (written_.contains(file)) return true;
  const std::filesystem::path& source = checkpoint_->restored_from;
  return !source.empty() && same_directory(os::parent_of(source), directory_.path());
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

void CheckpointManager::Impl::write_state(bool durable) const {
  const std::string text = manager::format_state(entries_);
  os::write_file_atomically(directory_.path() / manager::state_file(options_.name), std::as_bytes(std::span{text}),
                            durable);
}

// The state file still lists what is removed here, so that a crash in between leaves nothing that nobody knows: readers
// of the state leave out files that are gone, and the next save writes the shorter list.
std::vector<std::filesystem::path> CheckpointManager::Impl::rotate(bool durable) {
  std::vector<std::filesystem::path> deleted;
  const auto keep = keep_of(options_);
  while (keep && entries_.size() > *keep) {
    const std::string file = entries_.front().file;
    try {
      if (directory_.remove(file)) deleted.push_back(shown_ / file);
    } catch (const Error& error) {
      base::log(LogLevel::warning, std::string{"an old checkpoint could not be removed: "} + error.what());
    }
    entries_.erase(entries_.begin());
    written_.erase(file);
  }
  if (!deleted.empty() && durable) directory_.sync();
  return deleted;
}

// Newest first: files with larger numbers than the list knows (a program was killed after it wrote a checkpoint and
// before it wrote the state), the list, and then whatever else is there under this name.
Entries CheckpointManager::Impl::candidates() const {
  std::int64_t largest = -1;
  for (const Entry& entry : entries_) largest = std::max(largest, entry.number);
  Entries result;
  Entries older;
  Entries found = manager::scan(directory_, options_.name);
  std::ranges::reverse(found);
  for (const Entry& entry : found) {
    if (!in_list(entry.file)) (entry.number > largest ? result : older).push_back(entry);
  }
  result.insert(result.end(), entries_.rbegin(), entries_.rend());
  result.insert(result.end(), older.begin(), older.end());
  return result;
}

RestoreResult CheckpointManager::Impl::restore() {
  RestoreResult result;
  RestoreOptions options = options_.restore;
  if (options.verify == Verify::full) options.verify = Verify::lazy;  // what is checked here need not be checked again
  for (const Entry& candidate : candidates()) {
    const std::filesystem::path path = directory_.path() / candidate.file;
    try {
      // By explicit reads: where the disk fails they give an error, and a mapping gives a signal.
      static_cast<void>(Reader::open(path, {.mode = ReadMode::read, .verify = Verify::full}));
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
      base::log(LogLevel::warning, std::string{"passing over a damaged checkpoint: "} + error.what());
      result.skipped.push_back({shown_ / candidate.file, error});
      continue;
    }
    result.status = graph::restore_with_counter(*checkpoint_, graph::open_for(path, options), options);
    restored_ = result.status;
    adopt(candidate);
    result.path = shown_ / candidate.file;
    if (!result.skipped.empty()) {
      base::log(LogLevel::warning, "restored an older checkpoint instead: " + base::escape(result.path->string()));
    }
    return result;
  }
  if (!result.skipped.empty()) {
    throw Error{ErrorCode::corrupt,
                {.problem = "there are checkpoints, and none of them is whole; the newest: " +
                            std::string{result.skipped.front().reason.what()},
                 .file = directory_.path(),
                 .advice = "move them away to start afresh"}};
  }
  return result;
}

// A checkpoint that a kill kept out of the list belongs to this run once it was restored. An older file that was not
// listed stays unmanaged.
void CheckpointManager::Impl::adopt(const Entry& restored) {
  const auto is_older = [&](const Entry& entry) { return entry.number > restored.number; };
  if (in_list(restored.file) || std::ranges::any_of(entries_, is_older)) return;
  Entry entry = restored;
  entry.time = now();
  entries_.push_back(std::move(entry));
}

CheckpointManager::CheckpointManager(Checkpoint& checkpoint, const std::filesystem::path& directory,
                                     ManagerOptions options)
    : impl_{std::make_unique<Impl>(checkpoint, directory, std::move(options))} {}
CheckpointManager::~CheckpointManager() = default;
CheckpointManager::CheckpointManager(CheckpointManager&&) noexcept = default;
CheckpointManager& CheckpointManager::operator=(CheckpointManager&&) noexcept = default;

CheckpointManager::Impl& CheckpointManager::impl() const {
  if (!impl_) throw Error{ErrorCode::invalid_argument, {.problem = "the CheckpointManager was moved from"}};
  return *impl_;
}

SaveResult CheckpointManager::save() { return impl().save(std::nullopt, impl().options().save); }
SaveResult CheckpointManager::save(const SaveOptions& options) { return impl().save(std::nullopt, options); }
SaveResult CheckpointManager::save(std::int64_t number) { return impl().save(number, impl().options().save); }
SaveResult CheckpointManager::save(std::int64_t number, const SaveOptions& options) {
  return impl().save(number, options);
}

RestoreResult CheckpointManager::restore_or_initialize() { return impl().restore(); }

std::optional<std::filesystem::path> CheckpointManager::latest() const {
  const Entries& entries = impl().entries();
  if (entries.empty()) return std::nullopt;
  return directory() / entries.back().file;
}

std::vector<std::filesystem::path> CheckpointManager::checkpoints() const {
  std::vector<std::filesystem::path> paths;
  for (const Entry& entry : impl().entries()) paths.push_back(directory() / entry.file);
  return paths;
}

const std::filesystem::path& CheckpointManager::directory() const { return impl().shown(); }

std::optional<std::filesystem::path> latest_checkpoint(const std::filesystem::path& directory, std::string_view name) {
  manager::require_manager_name(name);
  try {
    const os::Directory open = os::Directory::open(directory);
    const Entries entries = manager::load_state(open, name, 1);
    if (entries.empty()) return std::nullopt;
    return directory / entries.back().file;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    return std::nullopt;
  }
}

}  // namespace ckpt
