// A training loop that is saved, resumed and stopped by rules.
#pragma once

#include <ckpt/manager.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ckpt {

/// Stops when a metric has not become better for a while.
struct EarlyStopping {
  std::string metric = {};
  Better better = Better::lower;
  /// Reports of the metric without an improvement, one after the other, that end the training. At least 1.
  int patience = 1;
  /// What counts as an improvement: more than so much. Not negative.
  double min_change = 0;
  /// Whether each improvement is saved at once, the best checkpoint is kept, and finish() restores it.
  bool restore_best = true;
};

/// What a session tells while it goes on. All calls come from the thread that uses the session.
class SessionListener {
 public:
  virtual ~SessionListener() = default;
  /// Before the first step. What was restored is in place.
  virtual void begin() {}
  virtual void before_save(std::int64_t /*step*/) {}
  /// True stops the training.
  virtual bool after_save(std::int64_t /*step*/, const std::filesystem::path& /*path*/) { return false; }
  /// After the last step and the last save.
  virtual void end(std::int64_t /*step*/) {}
};

/// Numbers and defaults are those of TensorFlow's Estimator.
struct SessionOptions {
  /// Seconds between saves, or steps; not both. Neither: 600 seconds.
  std::optional<double> save_seconds = {};
  std::optional<std::int64_t> save_steps = {};
  /// False: nothing is saved but by save() and for EarlyStopping::restore_best.
  bool checkpoints = true;
  /// The training ends when the step is that large; nothing trains until it is told to stop.
  std::optional<std::int64_t> max_steps = {};
  std::optional<EarlyStopping> early_stopping = {};
  std::vector<std::shared_ptr<SessionListener>> listeners = {};
  /// Whether SIGTERM (a machine that is taken away) and SIGINT save and end the training. The second one ends the
  /// process at once. One session of a process can. At its end the handlers are those of before, unless the program
  /// has installed others meanwhile.
  bool handle_signals = true;
  /// The manager's options; `step_counter` and a rule for the best checkpoint are added. Giving this member gives up
  /// these defaults, the name too: to change one, set `options.manager.max_to_keep = 3` on an object of SessionOptions,
  /// or a run of the name "model" is not found when it goes on.
  ManagerOptions manager = {.max_to_keep = 5, .keep_every_n_hours = 10'000, .name = "model"};
};

enum class StopReason : std::uint8_t { none, max_steps, signal, early_stopping, listener, requested };

/// Restores the newest checkpoint that is whole, and saves as `<directory>/<name>-<step>.ckpt`: at the start of a new
/// run, by time or steps, and at the end.
///
///     ckpt::TrainingSession session{checkpoint, step, "runs/toy", {.max_steps = 1000}};
///     while (session.next()) {
///       train_step(net, adam);
///       ++step;
///     }
///     session.finish();
///
/// One owner, one thread at a time. It owns a CheckpointManager (and so the lock of the directory), and neither the
/// checkpoint nor its objects, which must outlive it. With early stopping the checkpoint gets a
/// variable `early_stopping`, so that a resumed run stops where an undisturbed one would.
class TrainingSession {
 public:
  /// Restores. `step` is the program's count of finished steps, which it tracks and increments itself. Throws
  /// invalid_argument for bad options, or when the checkpoint that was restored does not restore the step too; busy
  /// when another session of this process handles signals; else as CheckpointManager and its restore_or_initialize().
  TrainingSession(Checkpoint& checkpoint, const Variable<std::int64_t>& step, const std::filesystem::path& directory,
                  SessionOptions options = {});
  /// Saves nothing: a program that leaves the loop by an exception is in no state to be kept.
  ~TrainingSession();
  TrainingSession(const TrainingSession&) = delete;
  TrainingSession& operator=(const TrainingSession&) = delete;

  /// Between steps: saves when it is time to, and says whether there is to be another step. After a signal it has saved
  /// when it returns false (unless `checkpoints` is off). Throws as CheckpointManager::save, and what listeners throw;
  /// call it again to try again.
  bool next();

  /// Metrics of the state as it is now. They are recorded with the checkpoint of this step (which is saved again if it
  /// was saved without them and is the best so far), and early stopping goes by them. Throws as next().
  void report(std::vector<Metric> metrics);

  /// Saves now, whatever the rules say.
  std::filesystem::path save();

  /// Saves the last step, unless it is saved; then restores the best checkpoint that is whole, if early stopping asks
  /// for that, with everything that is in it, the step too. The last step stays the newest on the disk. Throws corrupt
  /// when each that has the metric is damaged. When it throws, calling it again does what is left. Does nothing when
  /// called once more, or without a next() before.
  void finish();

  /// The next next() returns false. For listeners and for the program.
  void request_stop();

  /// Whether the training is to stop; for programs whose steps take long. A signal shows here at once.
  bool should_stop() const;
  StopReason stop_reason() const;
  /// The signal that stopped the training.
  std::optional<int> signal() const;

  /// What was restored at the start.
  const RestoreResult& restored() const;
  CheckpointManager& manager();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ckpt
