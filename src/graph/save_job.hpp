// One save in the background, from the snapshot to the file.
#pragma once

#include "graph/snapshot.hpp"
#include "os/memory.hpp"
#include "os/process.hpp"

#include <ckpt/async.hpp>

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace ckpt::graph {

/// What a saver and its jobs share; jobs may outlive the saver.
struct Monitor {
  std::mutex mutex;
  std::condition_variable changed;
  std::thread::id worker;  // set before the first job
  const int process = os::process_id();

  /// Throws invalid_argument in a forked process, where waiting would never end, and in the background thread, which
  /// would wait for itself. To be called before the mutex is touched: a fork may have left it locked.
  void require_may_wait() const;
};

/// Staging memory; giving it back is the saver's business.
using Staging = std::unique_ptr<os::Memory, std::function<void(os::Memory*)>>;

/// How variables are copied.
struct CopyOptions {
  unsigned threads = 1;
  bool check_changes = false;
};

class SaveJob {
 public:
  /// `snapshot` refers to memory of the variables. `staging` is empty in SaveMode::hand_off.
  SaveJob(std::shared_ptr<Monitor> monitor, Snapshot snapshot, Staging staging, std::filesystem::path path,
          AsyncSaveOptions options, TryAgain try_again, CopyOptions copy, double waited_seconds);

  const std::filesystem::path& path() const noexcept { return path_; }
  double waited_seconds() const noexcept { return waited_seconds_; }
  SaveMode mode() const noexcept { return options_.mode; }

  /// Copies the variables, or waits for whoever does that already.
  void stage();

  /// Waits until the variables may be changed, whether or not the save has failed.
  void settle();

  /// PendingSave's.
  void wait_staged();
  void wait_done();
  bool is_staged() const;
  bool is_done() const;

  /// In the background: writes the file, and lets go of all memory of variables.
  void run() noexcept;

  // The rest under the monitor's mutex.

  /// Somebody waits: a save that is to be checked for changes waits for this.
  void ask() noexcept { asked_ = true; }
  void finish() noexcept { done_ = true; }
  /// What is left after run(): an empty list, and its memory.
  std::vector<Snapshot::Tensor> take_list() noexcept { return std::move(snapshot_.tensors); }
  bool staged() const noexcept { return stage_ == Stage::staged; }
  const std::exception_ptr& error() const noexcept { return error_; }
  /// Whether the error was thrown to the caller.
  bool reported() const noexcept { return reported_; }
  [[noreturn]] void report();

 private:
  enum class Stage : std::uint8_t { waiting, copying, staged };

  void copy();
  void write();
  bool has_data() const;
  void set_staged();
  bool failed() const;
  void fail(std::exception_ptr error) noexcept;

  const std::shared_ptr<Monitor> monitor_;
  const std::filesystem::path path_;    // as the caller wrote it
  const std::filesystem::path target_;  // absolute: the working directory may change meanwhile
  const CopyOptions copy_;
  const double waited_seconds_;
  AsyncSaveOptions options_;
  TryAgain try_again_;
  Snapshot snapshot_;
  Staging staging_;
  std::vector<std::uint64_t> sums_;  // with check_changes: of the variables when save() was called

  Stage stage_ = Stage::waiting;
  bool asked_ = false;
  bool done_ = false;
  bool reported_ = false;
  std::exception_ptr error_;
};

}  // namespace ckpt::graph
