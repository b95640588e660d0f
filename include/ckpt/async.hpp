// Saving while the program goes on.
#pragma once

#include <ckpt/checkpoint.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace ckpt {

namespace graph {
class BackgroundSaver;
class SaveJob;
}  // namespace graph

struct AsyncOptions {
  /// Saves that are not finished yet, at least 1; the next one waits. Each of them may hold a copy of the state.
  std::size_t max_in_flight = 1;
  /// Bytes of staging memory at most, for all saves together; nothing for no limit but max_in_flight.
  std::optional<std::uint64_t> max_staging_bytes = {};
  /// Threads that copy, the caller's included; 0 for as many as there are cores.
  unsigned copy_threads = 0;
  /// Debugging: hash the variables when save() is called and again when they were copied, and fail the save, naming the
  /// variable, when one was changed too early. So that no change goes unseen, saves in the modes overlap and hand_off
  /// then begin only when staged(), durable(), wait(), the next save or the destructor asks for it. Costs more time
  /// than the copy.
  bool check_changes = false;
};

/// Who may change variables when. "Changing" is writing values, restoring, and freeing memory that was lent with
/// AnyVariable::wrap, in any thread, and in a Trackable::before_save that Checkpoint::save calls. (The next save() in
/// the background calls it, too, and so waits until variables may be changed.) Objects and the tree of them may be
/// changed as soon as save() has returned, in all modes, and the library's own memory of a variable stays while it is
/// needed.
enum class SaveMode : std::uint8_t {
  /// save() returns when the variables were copied: they may be changed from then on.
  copy,
  /// save() returns at once and the copy is made meanwhile: not before staged() has returned.
  overlap,
  /// No copy at all: not before staged() has returned, which is when the file has all data, or durable().
  hand_off,
};

struct AsyncSaveOptions {
  SaveOptions save = {};
  SaveMode mode = SaveMode::copy;
  /// Called in the background when the file is there (and durable, unless WriterOptions::durable is off), before
  /// durable() returns and before the next save begins to be written. What it throws is the error of this save. It must
  /// not use the AsyncSaver or wait for a PendingSave.
  std::function<void(const std::filesystem::path& path)> on_durable = {};
};

/// A save on its way: a handle like a shared_future, which may be copied, dropped, and outlive the AsyncSaver. Any
/// thread may use it. A default-constructed one is empty; using it throws invalid_argument.
class PendingSave {
 public:
  PendingSave() = default;

  explicit operator bool() const noexcept { return job_ != nullptr; }

  /// Where the file will be.
  const std::filesystem::path& path() const;

  /// Seconds that save() waited before it began, for earlier saves to finish or to let go of the variables; 0 when it
  /// did not wait.
  double waited_seconds() const;

  /// Waits until the variables may be changed. Throws the error of this save when it has failed by then; the variables
  /// may be changed then, too.
  void staged() const;

  /// Waits until the file is under its name (and durable, unless WriterOptions::durable is off), and returns its path.
  /// Throws, each time, what went wrong: as Checkpoint::write, invalid_argument for a variable that was changed too
  /// early (see AsyncOptions::check_changes), or what `on_durable` threw.
  std::filesystem::path durable() const;

  /// Whether staged(), or durable(), would return or throw without waiting.
  bool is_staged() const;
  bool is_done() const;

 private:
  friend class graph::BackgroundSaver;
  explicit PendingSave(std::shared_ptr<graph::SaveJob> job) : job_{std::move(job)} {}
  graph::SaveJob& job() const;

  std::shared_ptr<graph::SaveJob> job_;
};

/// Saves one Checkpoint in the background. It owns one thread, and staging memory: copies of the variables, made by all
/// cores, in memory that is kept for the next save. It also keeps the paths and the object graph, about as much memory
/// as the index of the file takes, and uses them again as long as no object of the checkpoint comes or goes.
///
/// An error in the background is thrown by staged() or durable() of that save. When nobody asked, the next save() or
/// wait() throws it, once, and does nothing else; the destructor logs it. Nothing else changes: the old files are
/// there, and the next save starts anew.
///
/// One owner, one thread at a time, which is also the one that may use the checkpoint's objects. It does not own the
/// checkpoint, which may be moved meanwhile but must not be destroyed before the last save. Do not restore into
/// variables that may not be changed yet, and to restore from a file that is being saved wait for durable().
///
/// After fork() the child has neither the thread nor the staging memory: its calls throw invalid_argument, its copy of
/// the AsyncSaver can be destroyed, and the parent's saves go on.
class AsyncSaver {
 public:
  /// Starts the thread. Throws invalid_argument for bad options, limit when the process may have no more threads: known
  /// at the beginning of a run, that is better than saves that are not in the background.
  explicit AsyncSaver(const Checkpoint& checkpoint, AsyncOptions options = {});
  /// Waits for all saves. Never throws: errors that nobody has seen go to the log.
  ~AsyncSaver();
  AsyncSaver(AsyncSaver&&) noexcept;
  AsyncSaver& operator=(AsyncSaver&&) noexcept;

  /// As Checkpoint::save: increments the save counter and writes `<prefix>-<counter>.ckpt`, the same bytes. No file is
  /// touched before this returns, so all their errors come later. When it throws itself, nothing has changed, the
  /// counter neither: limit when the copy needs more than max_staging_bytes or the system has no memory,
  /// invalid_argument when a tracked object was destroyed or `prefix` ends without a file name, or the error of an
  /// earlier save.
  PendingSave save(const std::filesystem::path& prefix, AsyncSaveOptions options = {});

  /// As Checkpoint::write: exactly `path`, without touching the counter.
  PendingSave write(const std::filesystem::path& path, AsyncSaveOptions options = {});

  /// Waits for all saves. Throws the first error that nobody has seen.
  void wait();

  /// Saves that are not finished.
  std::size_t in_flight() const;

  /// Bytes of staging memory, in use or kept.
  std::uint64_t staging_bytes() const;

  /// Returns the staging memory that no save uses, and that of the list of tensors; after wait(), all of it. The next
  /// save takes new memory, which costs it about as much time again as the copy.
  void release_staging();

 private:
  graph::BackgroundSaver& impl() const;  // throws invalid_argument when moved from

  std::unique_ptr<graph::BackgroundSaver> impl_;
};

}  // namespace ckpt
