// Cleaning up a directory of checkpoints whose program does not run.
#pragma once

#include <ckpt/error.hpp>
#include <ckpt/retention.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ckpt {

enum class GarbageKind : std::uint8_t {
  checkpoint,  ///< that no rule wants
  pin,         ///< of a checkpoint that is gone, while later ones are there
  temporary,   ///< of a save that was killed
};

struct Garbage {
  std::filesystem::path file;
  GarbageKind kind{};
  std::uint64_t bytes = 0;  ///< that its removal frees; 0 when it is a link or no file
  std::string reason;       ///< why it goes, for people
  bool removed = false;     ///< always false in a dry run
  /// Why it could not be removed.
  std::optional<Error> failure = {};
};

/// What the rules that the last save recorded say of the checkpoints that it listed.
struct RunRetention {
  std::string name;
  /// Oldest first, as CheckpointManager::retention_plan() of a manager with these rules; more are kept where newer ones
  /// are damaged. Empty when the list cannot be read.
  std::vector<RetentionDecision> decisions;
  /// Why all of them stay, whatever the rules say; empty when the rules decide.
  std::string held_back;
};

struct GarbageReport {
  /// In a dry run: whether a manager (or collect_garbage) holds the directory now. False also where that cannot be
  /// told.
  bool manager_runs = false;
  std::vector<RunRetention> runs;  ///< by name
  std::vector<Garbage> garbage;    ///< in the order of their removal
};

struct GarbageOptions {
  /// Removes what is found; otherwise a dry run, which changes nothing and needs no lock.
  bool apply = false;
  /// Called while a checkpoint is verified (see below), with bytes done and in total. Not from two threads at once, but
  /// not from the caller's alone.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};
};

/// Finds, and removes if asked, what the next manager and its saves would remove: temporary files of killed processes
/// and listed checkpoints that no recorded rule wants; and pins without a checkpoint. It removes as a manager does:
/// under its lock, the state file first, and durably. A process that is killed meanwhile leaves a directory that the
/// next manager reads, and what was not removed is found again.
///
/// Never removed: the newest checkpoint, those that are pinned or preserved, and those that no manager listed. When
/// retention is not known (the state is lost, or older than recorded rules), no checkpoint goes. Before one goes, those
/// that stay are verified in full, from the newest on, until one is whole; all that are newer than that one stay.
///
/// Throws busy, when it is to apply and a manager runs; not_found when there is no such directory, or no manager has
/// saved in it; io when it cannot be read, or the list cannot be written, before anything was removed. What fails for
/// one file is in the result. Thread-safe.
GarbageReport collect_garbage(const std::filesystem::path& directory, const GarbageOptions& options = {});

}  // namespace ckpt
