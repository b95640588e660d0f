// Saving and restoring a graph of objects.
#pragma once

#include <ckpt/metadata.hpp>
#include <ckpt/restore.hpp>
#include <ckpt/trackable.hpp>
#include <ckpt/writer.hpp>

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>

namespace ckpt {

namespace graph {
struct CheckpointState;
}  // namespace graph

struct SaveOptions {
  /// Durability, compression, alignment, step. `expected_bytes` is set by the save itself.
  WriterOptions writer = {};
  /// The user's own keys; see Writer::set_metadata.
  Metadata metadata = {};
};

/// The root of what is saved together: objects and variables under names. It is itself Trackable, so checkpoints nest
/// (one that was made for a root object stands for that object). It does not own the objects (it keeps variables
/// alive); see Trackable for lifetime and threads.
class Checkpoint : public Trackable {
 public:
  /// A name and what is under it: `{"net", net}`.
  struct Item {
    std::string name;
    Child child;
  };

  Checkpoint();

  /// `ckpt::Checkpoint checkpoint{{"step", step}, {"net", net}};` Throws as track().
  Checkpoint(std::initializer_list<Item> items);

  /// The children of `root` are the top level of the file, and `items` (and the save counter) become further children
  /// of root. Throws already_exists when root has another child under one of these names; none of the items is tracked
  /// then.
  explicit Checkpoint(Trackable& root, std::initializer_list<Item> items = {});

  Checkpoint(Checkpoint&&) noexcept = default;
  Checkpoint& operator=(Checkpoint&&) noexcept = default;
  ~Checkpoint() override;

  /// Adds a child later; values that wait for it are applied.
  void track(std::string_view name, const Child& child);

  /// Increments the save counter, then writes `<prefix>-<counter>.ckpt` with the new counter in it, and returns that
  /// path. Missing directories are created. When this throws, no file has changed, unless the error says that the new
  /// one is in its place (its directory could not be synced), and the counter stays incremented.
  /// A program that does not restore first starts at 1 again and replaces `<prefix>-1.ckpt` of an earlier run;
  /// CheckpointManager does not. Values of the last restore that still wait for their objects are not in the new file:
  /// that is said to the log, unless expect_partial() was called. Throws invalid_argument when a tracked object was
  /// destroyed (naming its path) or, before it counts, when `prefix` ends without a file name ("runs/"), else as
  /// Writer.
  std::filesystem::path save(const std::filesystem::path& prefix, const SaveOptions& options = {});

  /// Writes exactly `path`, without touching the counter, and returns it. Saving to the path that variables view is
  /// allowed. Throws as save().
  std::filesystem::path write(const std::filesystem::path& path, const SaveOptions& options = {});

  /// Restores the objects and variables that exist, all or none of them, and keeps the other values for those that
  /// appear later. Where several restores have a value for one variable, the last call to restore or read wins. A file
  /// that a plain Writer made is matched by its paths. Creates the save counter, so that it is restored too.
  ///
  /// Throws not_found, io, corrupt, unsupported, limit as Reader::open, and mismatch when an existing variable has
  /// another dtype or shape than the file says; nothing has changed then, unless the error says that the file
  /// changed while it was restored: its values are checked again as they are copied out of a mapping. In ReadMode::read
  /// and for compressed tensors this needs memory for a second copy of the existing variables' values. See
  /// RestoreOptions::check_first, which saves one pass and that memory.
  RestoreStatus restore(const std::filesystem::path& path, const RestoreOptions& options = {});

  /// The same without creating the save counter: for files made by write().
  RestoreStatus read(const std::filesystem::path& path, const RestoreOptions& options = {});

  /// What restore() or read() would do with that file. Changes nothing. Throws as they do, but for mismatch, which the
  /// plan lists. The save counter, which restore() takes and read() leaves, is in it once save_counter() has made it.
  RestorePlan plan(const std::filesystem::path& path, const RestoreOptions& options = {}) const;

  /// The number of the last save; created (as 0, or with a value that waits for it) at the first use.
  Variable<std::int64_t> save_counter();

 private:
  friend struct graph::Access;
  std::shared_ptr<graph::CheckpointState> state_;
};

}  // namespace ckpt
