// What a directory of checkpoints holds, without a manager and without a lock.
#pragma once

#include <ckpt/error.hpp>
#include <ckpt/retention.hpp>
#include <ckpt/writer.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ckpt {

/// How a checkpoint stands with the manager of its name.
enum class Management : std::uint8_t {
  managed,    ///< listed: a later save may remove it
  preserved,  ///< listed, and kept for ever
  unmanaged,  ///< not listed, and so left alone: of another run, left when the state was lost, or saved by a program
              ///< that was killed before it listed it
};

struct HistoryEntry {
  std::filesystem::path file;
  std::int64_t number = 0;
  std::uint64_t bytes = 0;  ///< of the file; 0 when it is a link or no file
  Management management{};
  bool pinned = false;
  /// The one that a restore looks at first. It is the last of all.
  bool newest = false;
  /// What the file says of itself. Nothing when it cannot be opened.
  std::optional<std::int64_t> created_ns = {};  ///< since 1970 UTC
  std::optional<std::int64_t> step = {};
  std::vector<Metric> metrics = {};  ///< by name
  /// Why it cannot be used. Opening reads no tensor: damage in those is found when HistoryOptions::verify asks for it.
  std::optional<Error> problem = {};
};

/// The checkpoints of one name: `<name>-<number>.ckpt`.
struct RunHistory {
  std::string name;
  /// Oldest first: in the order of the list; what is not listed goes before it, or behind it when its number is larger.
  std::vector<HistoryEntry> checkpoints;
  /// What the last save kept by; nothing when it did not record that, or the list cannot be read.
  std::optional<RetentionRules> rules;
  /// Why `<name>.state` cannot be used: not_found, corrupt, unsupported, io. All checkpoints are unmanaged then.
  std::optional<Error> state_problem;
};

/// A file that a save writes, or that one left which was killed.
struct TemporaryFile {
  std::filesystem::path file;
  std::uint64_t bytes = 0;
  bool stale = false;  ///< its writer has ended. False also where that cannot be told.
};

struct DirectoryHistory {
  /// Whether a manager (or collect_garbage) holds the directory now. False also where that cannot be told.
  bool manager_runs = false;
  std::vector<RunHistory> runs;            ///< by name
  std::vector<TemporaryFile> temporaries;  ///< by name
};

struct HistoryOptions {
  /// Read every byte of each checkpoint, and check it.
  bool verify = false;
  /// Called while that goes on, with bytes done and in total, of all files. Not from two threads at once, but not from
  /// the caller's alone.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};
};

/// Looks at every checkpoint, state, pin and temporary file in `directory`. Takes no lock and changes nothing, so a
/// manager may save meanwhile: a checkpoint that is removed under the eyes is left out. Paths begin with `directory` as
/// it was given. Throws not_found when there is no such directory, or no manager has saved in it; io. What is wrong
/// with one file is in the result. Thread-safe.
DirectoryHistory read_history(const std::filesystem::path& directory, const HistoryOptions& options = {});

}  // namespace ckpt
