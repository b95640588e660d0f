// The state of one object by itself, without counters and optimizers.
#pragma once

#include <ckpt/checkpoint.hpp>

#include <filesystem>

namespace ckpt {

/// Writes what `object` reaches to exactly `path`, whatever else the program tracks, and returns the path. Slots that
/// an optimizer keeps are not part of the model that it trains. Missing directories are created. Throws as
/// Checkpoint::write.
std::filesystem::path save_weights(Trackable& object, const std::filesystem::path& path,
                                   const SaveOptions& options = {});

/// Gives every variable that `object` reaches its value from the file: all of them, or none. Variables that are created
/// later get theirs then. For a model in the file of a whole training run, name it: RestoreOptions{.root = "net"}.
/// Throws mismatch when the file has nothing for a variable, and else as Checkpoint::restore.
RestoreStatus load_weights(Trackable& object, const std::filesystem::path& path, const RestoreOptions& options = {});

}  // namespace ckpt
