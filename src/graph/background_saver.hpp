// The thread that saves, its queue, and the memory for copies.
#pragma once

#include "graph/access.hpp"
#include "graph/collector.hpp"
#include "graph/save_job.hpp"
#include "graph/staging.hpp"

#include <ckpt/async.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace ckpt::graph {

/// What AsyncSaver says, for a checkpoint's state instead of the checkpoint.
class BackgroundSaver {
 public:
  BackgroundSaver(std::shared_ptr<CheckpointState> state, const AsyncOptions& options);
  /// Only in the process that made it; see is_forked().
  ~BackgroundSaver();
  BackgroundSaver(const BackgroundSaver&) = delete;
  BackgroundSaver& operator=(const BackgroundSaver&) = delete;

  PendingSave save(const std::filesystem::path& prefix, AsyncSaveOptions options);
  PendingSave write(const std::filesystem::path& path, AsyncSaveOptions options);

  /// write() with the save counter set to `counter` first; when this throws, the counter is what it was. `try_again` is
  /// called on the saver's thread.
  PendingSave save_as(const std::filesystem::path& path, std::int64_t counter, AsyncSaveOptions options,
                      TryAgain try_again = {});

  void wait();
  /// Waits for all saves too, and leaves their errors for somebody else to see.
  void drain();
  std::size_t in_flight() const;
  std::uint64_t staging_bytes() const;
  void release_staging();

  /// Whether this is a child of the process that made the saver: it has to be leaked then, since its mutex may be
  /// locked for ever and its thread is not there to be joined.
  bool is_forked() const noexcept;

 private:
  // What a save needs; reserved before anything changes.
  struct Reserved {
    Snapshot snapshot;
    Staging staging;
    double waited_seconds = 0;
  };
  using Lock = std::unique_lock<std::mutex>;

  Reserved reserve(SaveMode mode);
  Staging take_staging(Lock& lock, const Snapshot& snapshot, double& waited_seconds);
  template <typename Ready>
  double wait_until(Lock& lock, const Ready& ready);
  double settle_earlier(Lock& lock);
  void own_counter(Snapshot& snapshot) const;
  PendingSave start(Reserved reserved, std::filesystem::path path, AsyncSaveOptions options, TryAgain try_again = {});
  void throw_unreported();
  void run() noexcept;

  const std::shared_ptr<CheckpointState> state_;
  const AsyncOptions options_;
  const CopyOptions copy_;
  const std::shared_ptr<Monitor> monitor_ = std::make_shared<Monitor>();
  Collector collector_;
  StagingPool pool_;
  std::vector<Snapshot::Tensor> list_;            // empty: its memory is for the next save
  std::deque<std::shared_ptr<SaveJob>> jobs_;     // in flight, the first one is being written
  std::vector<std::shared_ptr<SaveJob>> failed_;  // oldest first; some were reported since
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace ckpt::graph
