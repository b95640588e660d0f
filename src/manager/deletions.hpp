// Removing files in the background.
#pragma once

#include "os/directory.hpp"

#include <condition_variable>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace ckpt::manager {

/// Removes files of one directory, one after the other, on a thread that lives as long as there is something to remove.
/// What cannot be removed is a line in the log. One owner, one thread at a time calls it.
class Deletions {
 public:
  /// `directory` must outlive this object.
  explicit Deletions(const os::Directory& directory) : directory_{directory} {}
  /// Waits.
  ~Deletions();
  Deletions(const Deletions&) = delete;
  Deletions& operator=(const Deletions&) = delete;

  /// With `durable` the directory is synced after the last one. Where no thread can be had, removes them here and now.
  void schedule(std::list<std::string> files, bool durable);

  /// Takes back files that are not being removed yet, and waits until the one that is being removed is gone.
  void cancel(const std::string& file);
  void cancel_all();

  /// Returns when nothing is left to do.
  void wait();

  /// What has come of files that were scheduled, each once.
  struct Outcome {
    std::list<std::string> removed;
    std::list<std::string> left;  ///< taken back, or not removable
  };
  Outcome take_outcome();

 private:
  void run() noexcept;
  bool remove(const std::string& file) const noexcept;
  void sync() const noexcept;

  const os::Directory& directory_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Names go from list to list by their nodes: the thread needs no memory, so it cannot fail.
  std::list<std::string> queue_;
  std::list<std::string> current_;  // the one that is being removed
  bool durable_ = false;
  bool running_ = false;
  Outcome outcome_;
  std::thread thread_;
};

}  // namespace ckpt::manager
