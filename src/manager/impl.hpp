// What a manager is made of. save.cpp, sweep.cpp, restore.cpp, pins.cpp and plan.cpp each have a part of its functions.
#pragma once

#include "graph/access.hpp"
#include "graph/background_saver.hpp"
#include "manager/deletions.hpp"
#include "manager/facts.hpp"
#include "manager/retention.hpp"
#include "manager/state.hpp"
#include "os/directory.hpp"

#include <ckpt/manager.hpp>

#include <cstdint>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace ckpt {

// A save in the background ends on the saver's thread, in finish(). What it changes there is guarded by `mutex_`, or by
// waiting until no save is in flight: only the owner's thread begins one, so none comes in between. What calls the
// program (hooks of objects, init_fn, the clock) runs without the mutex.
class CheckpointManager::Impl {
 public:
  Impl(Checkpoint& checkpoint, const std::filesystem::path& path, ManagerOptions options);

  const std::filesystem::path& shown() const noexcept { return shown_; }
  manager::Entries entries();
  /// Whether this is in a child of the process that made it: it has to be leaked then, since its threads are in the
  /// parent alone and its mutexes may be locked for ever.
  bool is_forked() const noexcept { return lock_.is_inherited(); }
  void release_lock() noexcept { lock_.release(); }

  SaveResult save(const SaveRequest& request);
  AsyncSaveResult save_async(const SaveRequest& request, SaveMode mode);
  void wait_for_saves();
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
  bool is_leaving(const manager::Entry& entry) const { return leaving_.contains(entry.file); }

  struct Skip {
    SkipReason reason;
    std::string explanation;
  };
  // A save from its checks on, until it is known what has become of its file: one that throws may have put that in its
  // place all the same. When it is over, all that the list has to know is here.
  struct InFlight {
    manager::Entry entry;
    std::int64_t counter = 0;
    std::optional<std::int64_t> step;
    SaveOptions options;
    std::optional<os::FileId> before;  // what the file's name led to
    PendingSave pending;               // in the background, once it was begun
    bool over = false;                 // nothing writes the file any more
    bool listed = false;
    std::vector<std::filesystem::path> deleted;  // what it let go of
  };
  using Lock = std::unique_lock<std::mutex>;

  void require_owner() const;
  Lock locked() const;
  void drain();
  void settle();
  void conclude(InFlight& save);
  bool is_in_flight(const std::string& file) const;

  std::optional<Skip> skip(const SaveRequest& request);
  InFlight prepare(const SaveRequest& request);
  void claim(InFlight& save);
  InFlight& begin(const SaveRequest& request);
  void finish(InFlight& save);
  void enlist(InFlight& save);
  bool is_resumed();
  void require_no_earlier_run(const std::string& file);
  void require_nothing_waits();

  // What becomes of the list, and the files that leave it.
  struct Sweep {
    manager::State state;
    std::set<std::string> leaving;
    std::list<std::string> files;
  };
  Sweep plan_sweep();
  void apply(Sweep sweep, InFlight& save);
  bool make_room(InFlight& save, const Error& error);
  bool remove_first(InFlight& save);
  bool is_newest_whole();
  std::optional<std::string> newest_that_counts() const;
  void write_state(const manager::State& state, bool durable);
  void write_if_unwritten();

  manager::Entries candidates() const;
  void pass_over(const std::string& file, const Error& problem);
  void adopt(const manager::Entry& restored);

  std::vector<manager::Candidate> judged(bool with_facts, bool with_pins);
  const manager::Facts& facts_of(const std::string& file, manager::Facts& spare);
  bool reclaim();
  void forget(const std::list<std::string>& files);

  std::shared_ptr<graph::CheckpointState> checkpoint_;
  ManagerOptions options_;
  RetentionRules rules_;         // of the options
  std::filesystem::path shown_;  // the directory as the caller wrote it
  os::Directory directory_;      // absolute
  os::DirectoryLock lock_;
  manager::Entries entries_;  // oldest first, also those that are leaving: rules go by the order, and one may come back
  std::set<std::string> leaving_;  // files that are scheduled for removal
  std::set<std::string> damaged_;  // files that are there, and were found so
  double last_preserved_ = 0;
  bool has_earlier_ = false;  // whether there are checkpoints of an earlier run
  bool unwritten_ = false;    // whether the list has files that the state on the disk does not know
  std::map<std::string, manager::Facts, std::less<>> facts_;  // by file, of those that could be read
  std::set<std::string> written_;                             // by this manager
  std::set<std::string> verified_;                            // found whole by this manager
  std::optional<std::int64_t> last_step_;                     // of the last save
  bool resumed_ = false;                      // restored from here, whatever was restored from elsewhere since
  std::optional<RestoreStatus> restored_;     // until a save has seen that nothing waits any more
  manager::Deletions deletions_{directory_};  // its thread uses the directory

  mutable std::mutex mutex_;
  std::list<InFlight> in_flight_;                  // in their order; only the owner's thread adds and removes
  std::unique_ptr<graph::BackgroundSaver> saver_;  // from the first save_async() on. Last: its thread uses the others
};

}  // namespace ckpt
