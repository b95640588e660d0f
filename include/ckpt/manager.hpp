// A directory of numbered checkpoints: kept and removed by rules, the newest that is whole restored.
#pragma once

#include <ckpt/async.hpp>
#include <ckpt/checkpoint.hpp>
#include <ckpt/retention.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

/// A checkpoint is kept when any of the rules `max_to_keep` to `keep_best` wants it, or it is pinned. The newest always
/// is.
struct ManagerOptions {
  /// The newest so many, at least 1; nothing keeps all.
  std::optional<int> max_to_keep = 5;
  /// Of those that are not among the newest any more, each that is at least so many hours younger than the last one
  /// kept so. It leaves the list of checkpoints and is kept for ever. Gaps drift: the next is counted from the one
  /// kept.
  std::optional<double> keep_every_n_hours = {};
  /// The first of each period of so many hours, counted from 1970 UTC, by the time in the file: 24 keeps one a day.
  /// Does not drift.
  std::optional<double> keep_time_grid_hours = {};
  /// The first at or after each positive multiple of so many steps, by the step recorded with the checkpoint, whenever
  /// it was saved.
  std::optional<std::int64_t> keep_every_n_steps = {};
  /// The best by recorded metrics.
  std::vector<KeepBest> keep_best = {};
  /// Whether files of this name that the state does not list (of another run, or left when the state was lost) become
  /// this manager's own, and so may be removed. Otherwise they are left alone.
  bool adopt = false;

  /// The program's step. When it is there, each save records it, unless WriterOptions::step says another.
  Variable<std::int64_t> step_counter = {};
  /// A save sooner than so many steps after the last one is skipped. At least 1; needs `step_counter`.
  std::optional<std::int64_t> checkpoint_interval = {};
  /// The step of the last save, where the program knows it and does not restore.
  std::optional<std::int64_t> last_checkpoint_step = {};
  /// Called by restore_or_initialize() when there is nothing to restore.
  std::function<void()> init_fn = {};
  /// Seconds since 1970 UTC, for tests; empty: the system's clock. Also the time that is recorded in a file, unless
  /// WriterOptions::created_ns says another. Called on the thread that calls the manager.
  std::function<double()> clock = {};

  // GCC 12 warns of programs that give a member after `save` by a call.
  /// Files are `<name>-<number>.ckpt`. Not empty, no '/', no control characters, no leading '.'.
  std::string name = "ckpt";
  /// For every save; save(SaveOptions) takes its place for one.
  SaveOptions save = {};
  /// Used by restore_or_initialize(), which checks the whole file first, whatever `verify` and `check_first` say.
  RestoreOptions restore = {};
  /// For save_async().
  AsyncOptions async = {};
};

enum class SkipReason : std::uint8_t {
  same_step,  ///< this step was saved already
  too_early,  ///< checkpoint_interval steps have not passed since the last save
};

struct SaveRequest {
  /// >= 0, instead of the save counter: see save(std::int64_t).
  std::optional<std::int64_t> number = {};
  /// Whether checkpoint_interval may skip this save. A step is never saved twice in a row all the same.
  bool check_interval = true;
  /// Instead of ManagerOptions::save.
  std::optional<SaveOptions> options = {};
};

struct SaveResult {
  /// Where it was saved; nothing when the save was skipped.
  std::optional<std::filesystem::path> path;
  std::int64_t number = 0;  ///< of `path`
  /// What this save let go of, oldest first: removed in the background from now on; see wait_for_deletions().
  std::vector<std::filesystem::path> deleted;
  /// Why nothing was saved, and the same in words.
  std::optional<SkipReason> skipped;
  std::string explanation;

  explicit operator bool() const noexcept { return path.has_value(); }
};

/// A save that was begun, or skipped.
struct AsyncSaveResult {
  /// To wait for it; empty when the save was skipped. Its path() is absolute.
  PendingSave pending;
  /// Where it will be, in the directory as the caller wrote it; nothing when the save was skipped.
  std::optional<std::filesystem::path> path;
  std::int64_t number = 0;  ///< of `path`
  /// Why nothing is saved, and the same in words.
  std::optional<SkipReason> skipped;
  std::string explanation;

  explicit operator bool() const noexcept { return path.has_value(); }
};

struct RestoreResult {
  /// A checkpoint that was passed over, and why.
  struct Skipped {
    std::filesystem::path path;
    Error reason;
  };

  /// The checkpoint that was restored; nothing for a fresh start.
  std::optional<std::filesystem::path> path;
  /// Set together with `path`.
  std::optional<RestoreStatus> status;
  /// Newer ones that are damaged or gone, newest first.
  std::vector<Skipped> skipped;

  explicit operator bool() const noexcept { return path.has_value(); }
};

/// Saves one Checkpoint into one directory, under increasing numbers, and removes the files that no rule of
/// ManagerOptions wants. A file is removed only after the new one and the state file are durable (or, without
/// WriterOptions::durable, written: a power cut may then cost all that were kept), on a thread of the manager's own
/// that lives as long as there is something to remove. A file that cannot be removed is a line in the log, and is tried
/// again after the next save. Where the disk has no room for the new file (ENOSPC, EDQUOT), what is being removed is
/// waited for, what the rules let go of without it goes first, if the newest is whole, and the file is written once
/// more (but not what SaveMode::hand_off has given back).
///
/// The list of checkpoints survives in `<directory>/<name>.state`. When that is missing or damaged it is rebuilt from
/// the files in the directory, with a line to the log; files beyond the newest `max_to_keep` are then left alone for
/// ever, like every file that a manager of that name did not write (but see ManagerOptions::adopt).
///
/// save_async() saves in the background, on a thread that the manager owns from the first such call on; see
/// <ckpt/async.hpp> for who may change variables when. Such a save enters the list when its file is durable, not
/// before, and only then the rules are applied and files removed. An error is thrown by its PendingSave; when nobody
/// asked, the next save that is not skipped, or wait_for_saves(), throws it, once, and does nothing else; the
/// destructor logs it.
///
/// One manager a directory: it holds a lock (`<directory>/.ckpt.lock`) while it lives. After fork() the child can only
/// destroy the manager: all else throws invalid_argument. Until it does that, calls exec or ends, it holds the lock
/// too: a child (a data loader) that outlives a killed parent keeps the next run out. One owner, one thread at a time.
/// The manager does not own the checkpoint, which may be moved meanwhile but must not be destroyed before the last
/// save is durable.
class CheckpointManager {
 public:
  /// Creates the directory, locks it, removes temporary files that killed processes left, and reads the state. Deletes
  /// no checkpoint. Throws invalid_argument for bad options, busy when another manager holds the directory, io.
  CheckpointManager(Checkpoint& checkpoint, const std::filesystem::path& directory, ManagerOptions options = {});
  /// Waits for saves in the background, then for the removals that were begun. Never throws.
  ~CheckpointManager();
  CheckpointManager(CheckpointManager&&) noexcept;
  CheckpointManager& operator=(CheckpointManager&&) noexcept;

  /// Increments the save counter and saves under that number, or skips when checkpoint_interval says so. When this
  /// returns, the file is durable (unless WriterOptions::durable is off). Throws already_exists when there are
  /// checkpoints of an earlier run (of this name, not written by this manager), whatever their numbers, and neither
  /// restore_or_initialize() nor Checkpoint::restore() has restored one of them: the new ones would replace them, or
  /// rotate them away. Call restore_or_initialize() first. Throws invalid_argument when values that
  /// restore_or_initialize() restored still wait for their objects, because the new file would lack them: create the
  /// objects first, or call expect_partial() on that status. Throws not_found when the directory was renamed or removed
  /// meanwhile. Otherwise as Checkpoint::save. Where the file is in its place although this throws (its directory could
  /// not be synced, the state not be written, or memory was short), the list has it all the same, and later saves treat
  /// it as any other.
  SaveResult save();
  SaveResult save(const SaveOptions& options);
  SaveResult save(const SaveRequest& request);

  /// Saves under a number (>= 0) of the caller's own, replacing a file that has it; throws as save(). The save counter
  /// is incremented all the same. A number used again makes that checkpoint the newest.
  SaveResult save(std::int64_t number);
  SaveResult save(std::int64_t number, const SaveOptions& options);

  /// As save(), in the background: counter, number, checks and step are settled when this returns, and the file, the
  /// list and removals come later, in the order of the calls. Waits while ManagerOptions::async.max_in_flight saves are
  /// not finished. A save that is on its way counts for checkpoint_interval, until it fails: then it may be tried again
  /// at once. Throws as save(); limit when the process may have no more threads or the copy no memory; or the error of
  /// an earlier save that nobody has seen. When it throws, nothing is saved, and the counter is what it was.
  AsyncSaveResult save_async(const SaveRequest& request = {}, SaveMode mode = SaveMode::copy);

  /// Waits until all saves in the background are durable and listed. Throws the first error that nobody has seen.
  /// save() does the same first; restore_or_initialize() and wait_for_deletions() wait, and leave errors for the next
  /// save.
  void wait_for_saves();

  /// Restores the newest checkpoint that is whole, or calls `init_fn` when there is none. Damaged newer ones are passed
  /// over; the log and the result say which and why. They count for no rule from then on, and no rule of this manager
  /// removes them; a save that comes to the number of one replaces it. Throws corrupt when there are checkpoints and
  /// none is whole (files that were removed by hand are none; where one could not be unpacked, variables may hold a
  /// part of its values then, and the message says so), mismatch when the program's variables differ from the file's,
  /// unsupported, io, and what `init_fn` throws. Variables that the file has no value for stay as they are: a warning
  /// of the log names some, the status all.
  RestoreResult restore_or_initialize();

  /// The newest checkpoint, if any, and all that are managed, oldest first: those that a later save may remove, not
  /// those that keep_every_n_hours keeps for ever. Files are looked at when the manager is made, not again here. One
  /// that is being saved in the background is not among them before it is durable.
  std::optional<std::filesystem::path> latest() const;
  std::vector<std::filesystem::path> checkpoints() const;

  /// The best checkpoint by a recorded metric among all that this manager knows, also those kept for ever, and not
  /// those that restore_or_initialize() found damaged. Reads the metadata of files that it has not read yet.
  std::optional<std::filesystem::path> best(std::string_view metric, Better better = Better::lower) const;

  /// A dry run: what would be kept and removed, and why, if rules were applied now, which save() does after writing.
  /// Oldest first; removes nothing.
  std::vector<RetentionDecision> retention_plan() const;

  /// Keeps a checkpoint whatever the rules say, until unpin(). A pin is a small file beside it, `<file>.pin`, so it
  /// survives restarts and the loss of the state, and `touch` and `rm` do the same. A path must lead into this
  /// directory. One that is being saved in the background is waited for. Throws not_found when there is no such file,
  /// or it is being removed; invalid_argument, io.
  void pin(std::int64_t number);
  void pin(const std::filesystem::path& file);
  void unpin(std::int64_t number);
  void unpin(const std::filesystem::path& file);

  /// Returns when nothing is being saved in the background or removed any more.
  void wait_for_deletions();

  /// As the caller wrote it.
  const std::filesystem::path& directory() const;

 private:
  class Impl;
  Impl& impl() const;  // throws invalid_argument when moved from

  std::unique_ptr<Impl> impl_;
};

/// The newest checkpoint that a manager of that name keeps in the directory, without a lock; nothing when there is none
/// or the directory does not exist. It may be rotated away at any moment after; a Reader that has it open stays valid.
std::optional<std::filesystem::path> latest_checkpoint(const std::filesystem::path& directory,
                                                       std::string_view name = "ckpt");

}  // namespace ckpt
