// Saving and restoring what a checkpoint reaches.
#pragma once

#include "graph/access.hpp"
#include "graph/snapshot.hpp"

#include <ckpt/checkpoint.hpp>

#include <cstdint>
#include <filesystem>

namespace ckpt::graph {

/// What a Checkpoint shares with those who work for it. Throws invalid_argument when it was moved from, or its root was
/// destroyed.
std::shared_ptr<CheckpointState> state_of(const Checkpoint& checkpoint);

/// The root of a checkpoint. Throws invalid_argument when it was destroyed.
std::shared_ptr<Node> require_root(const CheckpointState& state);

/// Writes everything that the root reaches to `path`, of which the directory must exist.
void save_objects(const CheckpointState& state, const std::filesystem::path& path, const SaveOptions& options,
                  const TryAgain& try_again = {});

/// `<prefix>-<number>.ckpt`. Throws invalid_argument when the prefix ends without a file name.
std::filesystem::path numbered_path(const std::filesystem::path& prefix, std::int64_t number);

/// Opens a file to restore from.
Reader open_for(const std::filesystem::path& path, const RestoreOptions& options);

/// `reader` is open. Throws before anything is changed; what
/// Trackable::after_restore throws comes through after that.
RestoreStatus restore_objects(CheckpointState& state, const Reader& reader, const RestoreOptions& options);

/// The same with the save counter, which is created if need be.
RestoreStatus restore_with_counter(CheckpointState& state, const Reader& reader, const RestoreOptions& options);

/// What restore_objects() would do.
RestorePlan plan_restore(const CheckpointState& state, const Reader& reader, const RestoreOptions& options);

/// The counter of saves, created if need be.
Variable<std::int64_t> save_counter(const CheckpointState& state);

/// The value after the counter's. Throws limit when there is none (a file may hold any number).
std::int64_t next_number(const Variable<std::int64_t>& counter);

}  // namespace ckpt::graph
