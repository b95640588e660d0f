#include "manager/inventory.hpp"

#include "manager/file_names.hpp"
#include "manager/load.hpp"

#include <ckpt/reader.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace ckpt::manager {
namespace {

void add(Inventory& inventory, const std::string& file) {
  if (os::is_temporary_name(file)) inventory.temporaries.push_back(file);
  const auto parsed = parse_file_name(file);
  if (!parsed) return;
  RunFiles& run = inventory.runs[parsed->manager];
  if (parsed->kind == NameKind::checkpoint) run.checkpoints.push_back({file, parsed->number, 0, Standing::active});
  if (parsed->kind == NameKind::pin) run.pins.insert(parsed->number);
}

void load(const os::Directory& directory, const std::string& name, RunFiles& run) {
  try {
    ParsedState parsed = read_state(directory, name);
    run.state = std::move(parsed.state);
    if (parsed.problem.empty()) return;
    const bool exists = directory.exists(state_file(name));
    run.state_problem.emplace(exists ? ErrorCode::corrupt : ErrorCode::not_found,
                              ErrorDetails{.problem = "the state file " + parsed.problem,
                                           .file = directory.path() / state_file(name),
                                           .advice = "the next manager rebuilds the list from the directory"});
  } catch (const Error& error) {
    run.state_problem = error;
  }
}

// What is there was listed before the state was read, so a checkpoint that is newer than that is in the state alone.
void settle_files(const os::Directory& directory, RunFiles& run) {
  std::ranges::sort(run.checkpoints, {}, &Entry::number);
  if (!run.checkpoints.empty()) run.largest = run.checkpoints.back().number;
  for (const Entry& entry : run.state.entries) run.largest = std::max(run.largest, entry.number);
  std::erase_if(run.state.entries, [&](const Entry& entry) { return !directory.exists(entry.file); });
}

// Any file may be called "<something>.state".
bool is_a_run(const RunFiles& run) {
  return !run.checkpoints.empty() || !run.state.entries.empty() || !run.state_problem ||
         run.state_problem->code() == ErrorCode::unsupported;
}

}  // namespace

Inventory take_inventory(const os::Directory& directory) {
  Inventory inventory;
  for (const std::string& file : directory.list()) add(inventory, file);
  std::ranges::sort(inventory.temporaries);
  for (auto& [name, run] : inventory.runs) {
    load(directory, name, run);
    settle_files(directory, run);
  }
  std::erase_if(inventory.runs, [](const auto& run) { return !is_a_run(run.second); });
  if (inventory.runs.empty() && !directory.exists(kLockFile)) {
    throw Error{ErrorCode::not_found,
                {.problem = "no manager has saved checkpoints in this directory",
                 .file = directory.path(),
                 .expected = "files like " + checkpoint_file("ckpt", 1) + " or " + state_file("ckpt"),
                 .advice = "name the directory of one run"}};
  }
  return inventory;
}

std::optional<Error> verify_file(const std::filesystem::path& file, const Progress& progress) {
  try {
    // Explicit reads: an I/O error of the device is then an error, not a signal.
    VerifyReport report = Reader::open(file, {.mode = ReadMode::read}).verify({.progress = progress});
    if (report.ok()) return std::nullopt;
    return std::move(report.problems.front());
  } catch (const Error& error) {
    return error;
  }
}

bool is_damage(const Error& error) {
  switch (error.code()) {
    case ErrorCode::unsupported:
      return false;
    case ErrorCode::io:
      return error.details().system_error == EIO || error.details().system_error == ELOOP;  // a link to itself
    default:
      return true;
  }
}

std::optional<Error> find_damage(const std::filesystem::path& file) {
  std::optional<Error> problem = verify_file(file, {});
  if (problem && !is_damage(*problem)) throw Error{*std::move(problem)};
  return problem;
}

std::optional<Error> restore_if_whole(const std::filesystem::path& file, RestoreOptions options,
                                      const std::function<void(const RestoreOptions&)>& restore) {
  if (std::optional<Error> problem = find_damage(file)) return problem;
  if (options.verify == Verify::full) options.verify = Verify::lazy;
  options.check_first = false;
  try {
    restore(options);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::corrupt) throw;
    return error;
  }
  return std::nullopt;
}

}  // namespace ckpt::manager
