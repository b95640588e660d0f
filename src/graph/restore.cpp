// Restoring, and the status that tells how far it got.
#include "base/log.hpp"
#include "base/text.hpp"
#include "graph/plan.hpp"
#include "graph/save.hpp"
#include "graph/superseded.hpp"
#include "graph/walk.hpp"
#include "os/directory.hpp"

#include <ckpt/error.hpp>
#include <ckpt/restore.hpp>

#include <span>
#include <utility>

namespace ckpt {
namespace graph {

namespace {

std::string summary(const Restoration& restoration) {
  const auto count = [](const std::vector<std::string>& paths) { return std::to_string(paths.size()); };
  return "restored from " + base::escape_path(restoration.path()) + ": " + count(restoration.unmatched_in_file()) +
         " values of the file wait or are not used, " + count(restoration.skipped()) + " skipped, " +
         count(restoration.unmatched_in_program()) + " variables got none";
}

void log_summary(const Restoration& restoration) noexcept {
  if (!base::is_logging()) return;  // the counts cost a walk
  try {
    base::log(LogLevel::info, summary(restoration));
  } catch (...) {  // NOLINT(bugprone-empty-catch): for a line of the log no restore fails that has been done
  }
}

// Of a value in the file that another variable got.
std::string taken_value(const Restoration& restoration, std::span<const std::string> unmatched) {
  for (const std::string& path : unmatched) {
    const std::optional<std::string> taken = restoration.taken_as(path);
    if (!taken) continue;
    const std::string stored = *taken == path ? "" : ", stored as " + base::escape(*taken);
    return "what the file has for " + base::escape(path) + stored +
           ", went to another variable: of two names for one object (tied weights) make one variable in the program, "
           "too, or copy its value";
  }
  return {};
}

std::string advice_for(const Restoration& restoration, std::span<const std::string> unmatched) {
  if (unmatched.size() != 1 || unmatched.front() != kSaveCounterName) {
    if (const auto idle = restoration.idle_renames(); !idle.empty()) return describe_idle(idle);
    if (std::string taken = taken_value(restoration, unmatched); !taken.empty()) return taken;
    return "check their names, or that this is the right file";
  }
  if (restoration.base() != 0) {
    return "the part of the file that RestoreOptions::root names has no save counter: use Checkpoint::read";
  }
  return "the file was made without a save counter, by Checkpoint::write or a Writer: use Checkpoint::read";
}

// The part that may fail and changes nothing.
Plan planned(const std::shared_ptr<Restoration>& restoration, const std::shared_ptr<Node>& root) {
  Plan plan;
  plan.match(restoration, restoration->base(), root);
  plan.prepare();
  root->restores.reserve(root->restores.size() + 1);
  return plan;
}

// What follows Plan::apply(). All that throws here is Trackable::after_restore, at the end.
RestoreStatus finish(Plan& plan, const std::shared_ptr<Restoration>& restoration, Node& root) {
  restoration->arm();
  log_summary(*restoration);
  supersede(root, restoration);
  plan.tell();
  return Access::status(restoration->shared_from_this());
}

}  // namespace

Reader open_for(const std::filesystem::path& path, const RestoreOptions& options) {
  ReaderOptions reader_options{.mode = options.mode, .verify = options.verify};
  try {
    // Where a file is read and not mapped (which `automatic` decides when it sees the file), there is nothing to map
    // privately, and the values are copied.
    reader_options.copy_on_write = options.binding == Binding::copy_on_write &&
                                   Reader::open(path, {.mode = options.mode}).file().mode == ReadMode::mmap;
    return Reader::open(path, reader_options);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    ErrorDetails details = error.details();
    details.advice = "check the path; Checkpoint::save(\"a/b\") and managers make a/b-1.ckpt, a/b-2.ckpt and so on";
    throw Error{error.code(), std::move(details)};
  }
}

RestoreStatus restore_objects(CheckpointState& state, const Reader& reader, const RestoreOptions& options) {
  const auto root = require_root(state);
  const auto restoration = Restoration::open(reader, options, root);
  Plan plan = planned(restoration, root);
  plan.apply();
  return finish(plan, restoration, *root);
}

RestoreStatus restore_with_counter(CheckpointState& state, const Reader& reader, const RestoreOptions& options) {
  const auto root = require_root(state);
  std::filesystem::path path = os::absolute_path(reader.path());
  save_counter(state);  // first, so that it is matched, and can fail, with all others
  const auto restoration = Restoration::open(reader, options, root);
  Plan plan = planned(restoration, root);
  plan.apply();
  state.restored_from = std::move(path);
  return finish(plan, restoration, *root);
}

}  // namespace graph

namespace {

[[noreturn]] void fail(const graph::Restoration& restoration, std::string problem, std::span<const std::string> paths,
                       std::string advice) {
  ErrorDetails details{.problem = std::move(problem), .file = restoration.path(), .advice = std::move(advice)};
  if (!paths.empty()) details.problem += " (" + std::to_string(paths.size()) + "): " + graph::list_paths(paths);
  if (paths.size() == 1) details.object = paths.front();
  throw Error{ErrorCode::mismatch, std::move(details)};
}

}  // namespace

const RestoreStatus& RestoreStatus::assert_existing_objects_matched() const {
  if (const auto paths = restoration_->unmatched_in_program(); !paths.empty()) {
    fail(*restoration_, "variables of the program got no value from the file", paths,
         graph::advice_for(*restoration_, paths));
  }
  return *this;
}

const RestoreStatus& RestoreStatus::assert_consumed() const {
  assert_existing_objects_matched();
  if (const auto paths = restoration_->not_alive(); !paths.empty()) {
    fail(*restoration_, "values of the file have no object in the program", paths,
         "create the objects first, or use assert_existing_objects_matched()");
  }
  return *this;
}

const RestoreStatus& RestoreStatus::assert_nontrivial_match() const {
  if (!restoration_->nontrivial()) {
    fail(*restoration_, "nothing but the root matched the file", {},
         "check the names under which objects are tracked against those in the file");
  }
  return *this;
}

const RestoreStatus& RestoreStatus::expect_partial() const {
  restoration_->expect_partial();
  return *this;
}

std::vector<std::string> RestoreStatus::unmatched_in_file() const { return restoration_->unmatched_in_file(); }

std::vector<std::string> RestoreStatus::unmatched_in_program() const { return restoration_->unmatched_in_program(); }

std::vector<std::string> RestoreStatus::pending() const { return restoration_->pending(); }

std::vector<std::string> RestoreStatus::skipped() const { return restoration_->skipped(); }

}  // namespace ckpt
