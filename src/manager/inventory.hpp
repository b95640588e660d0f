// All that managers have left in a directory, by the names of the files.
#pragma once

#include "manager/state.hpp"
#include "os/directory.hpp"

#include <ckpt/error.hpp>
#include <ckpt/restore.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace ckpt::manager {

struct RunFiles {
  Entries checkpoints;  ///< by number, without times
  std::set<std::int64_t> pins;
  State state;  ///< without files that are gone
  /// Why there is no state. Also set when there is no state file.
  std::optional<Error> state_problem;
  std::int64_t largest = -1;  ///< number among the checkpoints, and those of the state that are gone
};

struct Inventory {
  std::map<std::string, RunFiles> runs;  ///< by name; those that have a checkpoint or a good state file
  std::vector<std::string> temporaries;  ///< sorted
};

/// Throws io; not_found when nothing says that a manager was ever here.
Inventory take_inventory(const os::Directory& directory);

using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// Reads every byte of a checkpoint. What is wrong with it, or nothing.
std::optional<Error> verify_file(const std::filesystem::path& file, const Progress& progress);

/// Whether another checkpoint is tried instead of one that fails so: the file itself is bad, gone, or no file. What is
/// the fault of the program or the system, another file would hide.
bool is_damage(const Error& error);

/// What is wrong with a checkpoint of which every byte is read, or nothing. Throws what is no damage.
std::optional<Error> find_damage(const std::filesystem::path& file);

/// Calls `restore` for a file of which every byte was checked, so that its values are checked as they are copied. What
/// is wrong with the file, or nothing: sums that are right do not mean that a chunk can be unpacked, or text is UTF-8.
/// Then variables may hold a part of its values, until another checkpoint is restored. Throws what is no damage.
std::optional<Error> restore_if_whole(const std::filesystem::path& file, RestoreOptions options,
                                      const std::function<void(const RestoreOptions&)>& restore);

}  // namespace ckpt::manager
