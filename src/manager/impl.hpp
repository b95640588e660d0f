// What a manager is made of. save.cpp, restore.cpp, pins.cpp and plan.cpp each have a part of its functions.
#pragma once

#include "graph/access.hpp"
#include "manager/deletions.hpp"
#include "manager/facts.hpp"
#include "manager/retention.hpp"
#include "manager/state.hpp"
#include "os/directory.hpp"

#include <ckpt/manager.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace ckpt {

class CheckpointManager::Impl {
 public:
  Impl(Checkpoint& checkpoint, const std::filesystem::path& path, ManagerOptions options);

  const std::filesystem::path& shown() const noexcept { return shown_; }
  const manager::Entries& entries() const noexcept { return entries_; }

  SaveResult save(const SaveRequest& request);
  RestoreResult restore();
  std::optional<std::filesystem::path> best(std::string_view metric, Better better);
  std::vector<RetentionDecision> plan();
  void pin(const std::string& file);
  void unpin(const std::string& file);
  std::string file_of(std::int64_t number) const;
  std::string file_of(const std::filesystem::path& path) const;
  void wait_for_deletions();

 private:
  double now() const;
  bool in_list(const std::string& file) const;

  std::optional<SaveResult> skip(bool check_interval) const;
  SaveResult write(std::optional<std::int64_t> wanted, SaveOptions options);
  bool may_replace(const std::string& file) const;
  void require_new(const std::string& file) const;
  void require_nothing_waits();
  std::vector<std::filesystem::path> sweep(bool durable);
  void write_state(const manager::State& state, bool durable) const;

  manager::Entries candidates() const;
  void adopt(const manager::Entry& restored);

  std::vector<manager::Candidate> judged(bool with_facts, bool with_pins);
  const manager::Facts& facts_of(const std::string& file, manager::Facts& spare);
  void reclaim();

  std::shared_ptr<graph::CheckpointState> checkpoint_;
  ManagerOptions options_;
  std::filesystem::path shown_;  // the directory as the caller wrote it
  os::Directory directory_;      // absolute
  os::DirectoryLock lock_;
  manager::Entries entries_;  // oldest first
  manager::Entries leaving_;  // scheduled for removal, and still in the state
  double last_preserved_ = 0;
  std::map<std::string, manager::Facts, std::less<>> facts_;  // by file, of those that could be read
  std::set<std::string> written_;                             // by this manager
  std::optional<std::int64_t> last_step_;                     // of the last save
  std::optional<RestoreStatus> restored_;                     // until a save has seen that nothing waits any more
  manager::Deletions deletions_{directory_};                  // the last member: its thread uses the others
};

}  // namespace ckpt
