#include "base/log.hpp"
#include "base/text.hpp"
#include "graph/save.hpp"
#include "manager/file_names.hpp"
#include "manager/impl.hpp"
#include "manager/load.hpp"
#include "manager/rules.hpp"

#include <ckpt/error.hpp>
#include <ckpt/manager.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

namespace ckpt {
namespace {

using manager::Entries;
using manager::Entry;
using manager::Standing;

[[noreturn]] void refuse(std::string problem, std::string found = {}, std::string advice = {}) {
  throw Error{ErrorCode::invalid_argument,
              {.problem = std::move(problem), .found = std::move(found), .advice = std::move(advice)}};
}

ManagerOptions checked(ManagerOptions options) {
  manager::require_manager_name(options.name);
  if (auto bad = manager::find_bad_rule(manager::rules_of(options)))
    refuse(std::move(bad->problem), std::move(bad->found));
  if (options.async.max_in_flight < 1) {
    refuse("max_in_flight must be at least 1", std::to_string(options.async.max_in_flight));
  }
  if (options.checkpoint_interval && *options.checkpoint_interval < 1) {
    refuse("checkpoint_interval must be at least 1, or nothing", std::to_string(*options.checkpoint_interval));
  }
  if (options.checkpoint_interval && !options.step_counter) {
    refuse("checkpoint_interval needs the step to count by", {}, "set ManagerOptions::step_counter");
  }
  return options;
}

}  // namespace

CheckpointManager::Impl::Impl(Checkpoint& checkpoint, const std::filesystem::path& path, ManagerOptions options)
    : checkpoint_{graph::state_of(checkpoint)},
      options_{checked(std::move(options))},
      rules_{manager::rules_of(options_)},
      shown_{path.empty() ? "." : path},
      directory_{os::Directory::create_all(os::absolute_path(shown_))},
      lock_{directory_, manager::kLockFile},
      last_step_{options_.last_checkpoint_step} {
  for (const std::string& name : os::remove_stale_temporaries(directory_)) {
    base::log(LogLevel::info, "removed the temporary file of a save that was killed: " + base::escape(name));
  }
  manager::LoadedState loaded = manager::load_state(directory_, options_, now());
  entries_ = std::move(loaded.state.entries);
  last_preserved_ = *loaded.state.last_preserved;
  unwritten_ = loaded.rebuilt;
  has_earlier_ = !manager::scan(directory_, options_.name).empty();
}

// A clock that says nothing sensible makes checkpoints look old, and what looks old is never removed by its age.
double CheckpointManager::Impl::now() const {
  using std::chrono::system_clock;
  const double time =
      options_.clock ? options_.clock() : std::chrono::duration<double>(system_clock::now().time_since_epoch()).count();
  return std::isfinite(time) ? time : 0;
}

bool CheckpointManager::Impl::in_list(const std::string& file) const {
  return std::ranges::find(entries_, file, &Entry::file) != entries_.end();
}

Entries CheckpointManager::Impl::entries() {
  const Lock lock = locked();
  settle();
  Entries entries = entries_;
  std::erase_if(entries, [this](const Entry& entry) { return is_leaving(entry); });
  return entries;
}

void CheckpointManager::Impl::wait_for_deletions() {
  drain();
  deletions_.wait();
  reclaim();
}

CheckpointManager::CheckpointManager(Checkpoint& checkpoint, const std::filesystem::path& directory,
                                     ManagerOptions options)
    : impl_{std::make_unique<Impl>(checkpoint, directory, std::move(options))} {}
CheckpointManager::~CheckpointManager() {
  if (!impl_ || !impl_->is_forked()) return;
  impl_->release_lock();
  [[maybe_unused]] const Impl* leaked = impl_.release();
}
CheckpointManager::CheckpointManager(CheckpointManager&&) noexcept = default;
CheckpointManager& CheckpointManager::operator=(CheckpointManager&& other) noexcept {
  CheckpointManager old{std::move(other)};
  impl_.swap(old.impl_);
  return *this;
}

CheckpointManager::Impl& CheckpointManager::impl() const {
  if (!impl_) refuse("the CheckpointManager was moved from");
  return *impl_;
}

SaveResult CheckpointManager::save() { return impl().save({}); }
SaveResult CheckpointManager::save(const SaveOptions& options) { return impl().save({.options = options}); }
SaveResult CheckpointManager::save(const SaveRequest& request) { return impl().save(request); }
SaveResult CheckpointManager::save(std::int64_t number) { return impl().save({.number = number}); }
SaveResult CheckpointManager::save(std::int64_t number, const SaveOptions& options) {
  return impl().save({.number = number, .options = options});
}

AsyncSaveResult CheckpointManager::save_async(const SaveRequest& request, SaveMode mode) {
  return impl().save_async(request, mode);
}
void CheckpointManager::wait_for_saves() { impl().wait_for_saves(); }

RestoreResult CheckpointManager::restore_or_initialize() { return impl().restore(); }

std::optional<std::filesystem::path> CheckpointManager::latest() const {
  const Entries entries = impl().entries();
  if (entries.empty()) return std::nullopt;
  return directory() / entries.back().file;
}

std::vector<std::filesystem::path> CheckpointManager::checkpoints() const {
  std::vector<std::filesystem::path> paths;
  for (const Entry& entry : impl().entries()) {
    if (entry.standing != Standing::preserved) paths.push_back(directory() / entry.file);
  }
  return paths;
}

std::optional<std::filesystem::path> CheckpointManager::best(std::string_view metric, Better better) const {
  return impl().best(metric, better);
}
std::vector<RetentionDecision> CheckpointManager::retention_plan() const { return impl().plan(); }
void CheckpointManager::pin(std::int64_t number) { impl().pin(impl().file_of(number)); }
void CheckpointManager::pin(const std::filesystem::path& file) { impl().pin(impl().file_of(file)); }
void CheckpointManager::unpin(std::int64_t number) { impl().unpin(impl().file_of(number)); }
void CheckpointManager::unpin(const std::filesystem::path& file) { impl().unpin(impl().file_of(file)); }
void CheckpointManager::wait_for_deletions() { impl().wait_for_deletions(); }

const std::filesystem::path& CheckpointManager::directory() const { return impl().shown(); }

std::optional<std::filesystem::path> latest_checkpoint(const std::filesystem::path& directory, std::string_view name) {
  manager::require_manager_name(name);
  try {
    const auto file = manager::newest_file(os::Directory::open(directory), name);
    return file ? std::optional{directory / *file} : std::nullopt;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    return std::nullopt;
  }
}

}  // namespace ckpt
