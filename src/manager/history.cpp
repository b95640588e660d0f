#include "manager/facts.hpp"
#include "manager/file_names.hpp"
#include "manager/inventory.hpp"
#include "manager/load.hpp"
#include "os/directory.hpp"

#include <ckpt/history.hpp>

#include <set>
#include <string_view>
#include <utility>

namespace ckpt {
namespace {

using manager::Entry;
using manager::Standing;

/// Adds up the progress of one file after the other.
class Meter {
 public:
  Meter(const manager::Progress& progress, std::uint64_t total) : progress_{progress}, total_{total} {}

  manager::Progress for_file() const {
    if (!progress_) return {};
    return [this](std::uint64_t done, std::uint64_t) { progress_(before_ + done, total_); };
  }
  void end_file(std::uint64_t bytes) { before_ += bytes; }

 private:
  const manager::Progress& progress_;
  std::uint64_t total_;
  std::uint64_t before_ = 0;
};

std::uint64_t bytes_of(const os::Directory& directory, const manager::Inventory& inventory) {
  std::uint64_t total = 0;
  for (const auto& [name, run] : inventory.runs) {
    for (const Entry& entry : run.checkpoints) {
      if (const auto status = directory.status(entry.file)) total += status->bytes;
    }
  }
  return total;
}

void tell_facts(HistoryEntry& entry, const std::filesystem::path& file, bool verify, const Meter& meter) {
  manager::Facts facts = manager::read_facts(file);
  entry.created_ns = facts.created_ns;
  entry.step = facts.step;
  for (auto& [name, value] : facts.metrics) entry.metrics.push_back({name, value});
  entry.problem = std::move(facts.problem);
  if (!entry.problem && verify) entry.problem = manager::verify_file(file, meter.for_file());
}

RunHistory tell(const os::Directory& directory, const std::string& name, const manager::RunFiles& run, bool verify,
                Meter& meter) {
  RunHistory history{name, {}, run.state.rules, run.state_problem};
  std::set<std::string_view> listed;
  for (const Entry& entry : run.state.entries) listed.insert(entry.file);
  for (const Entry& entry : manager::in_order(run.checkpoints, run.state.entries)) {
    HistoryEntry told{.file = directory.path() / entry.file, .number = entry.number};
    tell_facts(told, told.file, verify, meter);
    const auto status = directory.status(entry.file);
    if (!status) continue;  // removed meanwhile
    told.bytes = status->bytes;
    meter.end_file(told.bytes);
    told.pinned = run.pins.contains(entry.number);
    if (!listed.contains(entry.file)) {
      told.management = Management::unmanaged;
    } else {
      told.management = entry.standing == Standing::preserved ? Management::preserved : Management::managed;
    }
    history.checkpoints.push_back(std::move(told));
  }
  if (!history.checkpoints.empty()) history.checkpoints.back().newest = true;
  return history;
}

}  // namespace

DirectoryHistory read_history(const std::filesystem::path& directory, const HistoryOptions& options) {
  const os::Directory opened = os::Directory::open(directory);
  const manager::Inventory inventory = manager::take_inventory(opened);
  DirectoryHistory history;
  history.manager_runs = os::lock_holder(opened, manager::kLockFile) == os::LockHolder::somebody;
  for (const std::string& name : inventory.temporaries) {
    const os::LockHolder writer = os::lock_holder(opened, name);
    const auto status = opened.status(name);
    if (!status) continue;
    history.temporaries.push_back({opened.path() / name, status->bytes, writer == os::LockHolder::nobody});
  }
  Meter meter{options.progress, options.verify ? bytes_of(opened, inventory) : 0};
  for (const auto& [name, run] : inventory.runs) {
    history.runs.push_back(tell(opened, name, run, options.verify, meter));
  }
  return history;
}

}  // namespace ckpt
