// A directory of numbered checkpoints: newest kept, older ones removed, the newest that is whole restored.
#pragma once

#include <ckpt/checkpoint.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

struct ManagerOptions {
  /// How many checkpoints to keep, at least 1; nothing keeps all.
  std::optional<int> max_to_keep = 5;
  /// Files are `<name>-<number>.ckpt`. Not empty, no '/', no control characters, no leading '.'.
  std::string name = "ckpt";
  /// For every save; save(SaveOptions) takes its place for one.
  SaveOptions save = {};
  /// Used by restore_or_initialize(), which checks the whole file whatever `verify` says.
  RestoreOptions restore = {};
};

struct SaveResult {
  std::filesystem::path path;
  std::int64_t number = 0;
  std::vector<std::filesystem::path> deleted;  ///< removed by rotation, oldest first
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
  /// Newer ones that are damaged, newest first.
  std::vector<Skipped> skipped;

  explicit operator bool() const noexcept { return path.has_value(); }
};

/// Saves one Checkpoint into one directory, under increasing numbers, and removes the oldest files when there are more
/// than `max_to_keep`. A file is removed only after the new one and the state file are durable
/// (or, without WriterOptions::durable, written: a power cut may then cost all that were kept).
///
/// The list of checkpoints survives in `<directory>/<name>.state`. When that is missing or damaged it is rebuilt from
/// the directory, with a line to the log; files beyond the newest `max_to_keep` are then left alone for ever, like
/// every file that a manager of that name did not write.
///
/// One manager a directory: it holds a lock (`<directory>/.ckpt.lock`) while it lives. One owner, one thread at a time.
/// The manager does not own the checkpoint, which may be moved meanwhile but must not be destroyed before the last
/// save.
class CheckpointManager {
 public:
  /// Creates the directory, locks it, removes temporary files that killed processes left, and reads the state. Deletes
  /// no checkpoint. Throws invalid_argument for bad options, busy when another manager holds the directory, io.
  CheckpointManager(Checkpoint& checkpoint, const std::filesystem::path& directory, ManagerOptions options = {});
  ~CheckpointManager();
  CheckpointManager(CheckpointManager&&) noexcept;
  CheckpointManager& operator=(CheckpointManager&&) noexcept;

  /// Increments the save counter and saves under that number. When this returns, the file is durable (unless
  /// WriterOptions::durable is off). Throws already_exists when the file is there, nothing was restored, and this
  /// manager did not write it: it belongs to an earlier run, so call restore_or_initialize() first. Throws
  /// invalid_argument when values that restore_or_initialize() restored still wait for their objects, because the new
  /// file would lack them: create the objects first, or call expect_partial() on that status. Throws not_found when the
  /// directory was renamed or removed meanwhile. Otherwise as Checkpoint::save.
  SaveResult save();
  SaveResult save(const SaveOptions& options);

  /// Saves under a number (>= 0) of the caller's own, replacing a file that has it. The save counter is incremented all
  /// the same. A number used again makes that checkpoint the newest.
  SaveResult save(std::int64_t number);
  SaveResult save(std::int64_t number, const SaveOptions& options);

  /// Restores the newest checkpoint that is whole, or does nothing when there is none. Damaged newer ones are passed
  /// over; the log and the result say which and why. Throws corrupt when there are checkpoints and none is whole,
  /// mismatch when the program's variables differ from the file's, unsupported, io.
  RestoreResult restore_or_initialize();

  /// The newest checkpoint, if any, and all that are kept, oldest first. Files are looked at when the manager is made,
  /// not again here.
  std::optional<std::filesystem::path> latest() const;
  std::vector<std::filesystem::path> checkpoints() const;

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
