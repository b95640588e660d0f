#include "base/log.hpp"
#include "base/text.hpp"
#include "manager/early_stop.hpp"
#include "manager/facts.hpp"
#include "manager/inventory.hpp"
#include "manager/retention.hpp"
#include "os/directory.hpp"
#include "os/stop_signals.hpp"

#include <ckpt/error.hpp>
#include <ckpt/session.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace ckpt {
namespace {

constexpr double kSaveSeconds = 600;

[[noreturn]] void refuse(std::string problem, std::string found = {}) {
  throw Error{ErrorCode::invalid_argument, {.problem = std::move(problem), .found = std::move(found)}};
}

SessionOptions checked(SessionOptions options) {
  if (options.save_seconds && options.save_steps) refuse("a session saves by seconds or by steps, not by both");
  if (options.save_seconds && (!std::isfinite(*options.save_seconds) || *options.save_seconds < 0)) {
    refuse("save_seconds must be 0 or more", std::to_string(*options.save_seconds));
  }
  if (options.save_steps && *options.save_steps < 1) {
    refuse("save_steps must be at least 1", std::to_string(*options.save_steps));
  }
  if (!options.save_seconds && !options.save_steps) options.save_seconds = kSaveSeconds;
  if (options.manager.checkpoint_interval) refuse("a session saves by save_steps, and not by checkpoint_interval");
  if (std::ranges::find(options.listeners, nullptr) != options.listeners.end()) refuse("a listener is null");
  return options;
}

ManagerOptions manager_options(const SessionOptions& options, const Variable<std::int64_t>& step) {
  ManagerOptions result = options.manager;
  result.step_counter = step;
  if (options.early_stopping && options.early_stopping->restore_best) {
    result.keep_best.push_back({options.early_stopping->metric, 1, options.early_stopping->better});
  }
  return result;
}

}  // namespace

class TrainingSession::Impl {
 public:
  Impl(Checkpoint& checkpoint, const Variable<std::int64_t>& step, const std::filesystem::path& directory,
       SessionOptions options)
      : checkpoint_{checkpoint}, step_{step}, options_{checked(std::move(options))} {
    if (!step_) refuse("a session needs the program's step, and this handle is empty");
    if (options_.early_stopping) early_stop_.emplace(checkpoint, *options_.early_stopping);
    manager_.emplace(checkpoint, directory, manager_options(options_, step));
    directory_ = os::absolute_path(directory);
    restored_ = manager_->restore_or_initialize();
    if (restored_) {
      const manager::Facts facts = manager::read_facts(*restored_.path);
      if (facts.problem) throw Error{*facts.problem};
      require_own_step(facts);
      saved_step_ = step_.value();
      recall_metrics(facts);
    }
    note_save();
    if (options_.handle_signals) signals_.emplace();
  }

  bool next();
  void report(std::vector<Metric> metrics);
  std::filesystem::path save();
  void finish();
  void stop(StopReason reason) {
    if (reason_ == StopReason::none) reason_ = reason;
  }
  StopReason reason() const { return reason_ == StopReason::none && signal() ? StopReason::signal : reason_; }
  std::optional<int> signal() const {
    return signals_ && signals_->caught() != 0 ? std::optional{signals_->caught()} : std::nullopt;
  }
  const RestoreResult& restored() const noexcept { return restored_; }
  CheckpointManager& manager() noexcept { return *manager_; }

 private:
  void require_own_step(const manager::Facts& facts) const;
  void judge(double value);
  void recall_metrics(const manager::Facts& facts);
  void restore_best();
  std::vector<std::filesystem::path> best_first(const std::function<void(const Error&)>& on_damage) const;
  double now() const;
  void note_save();
  bool is_due() const;

  Checkpoint& checkpoint_;
  Variable<std::int64_t> step_;
  SessionOptions options_;
  std::optional<manager::EarlyStop> early_stop_;
  std::optional<CheckpointManager> manager_;
  RestoreResult restored_;
  std::optional<os::StopSignals> signals_;
  StopReason reason_ = StopReason::none;
  std::filesystem::path directory_;  // absolute: the program may change its working directory
  std::size_t listeners_begun_ = 0;
  std::size_t listeners_ended_ = 0;
  bool begun_ = false;
  bool finished_ = false;
  std::optional<std::int64_t> saved_step_;
  double timer_seconds_ = 0;  // of the last save, or the start
  std::int64_t timer_step_ = 0;
  bool reported_ = false;
  bool judged_ = false;  // whether a report had the metric of early stopping
  std::vector<Metric> metrics_;
  std::int64_t metrics_step_ = 0;
};

// A step that the checkpoint does not have would begin at 0 again, with values that were trained.
void TrainingSession::Impl::require_own_step(const manager::Facts& facts) const {
  const std::optional<std::int64_t> saved = facts.step;
  if (!saved || *saved == step_.value() || options_.manager.save.writer.step) return;
  throw Error{ErrorCode::invalid_argument,
              {.problem = "the program's step is not that of the checkpoint that was restored",
               .file = *restored_.path,
               .expected = "step " + std::to_string(*saved),
               .found = "step " + std::to_string(step_.value()),
               .advice = "put the step into the Checkpoint, as {\"step\", step}, so that it is saved and restored"}};
}

double TrainingSession::Impl::now() const {
  if (options_.manager.clock) return options_.manager.clock();
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void TrainingSession::Impl::note_save() {
  timer_seconds_ = now();
  timer_step_ = step_.value();
}

bool TrainingSession::Impl::is_due() const {
  if (!options_.checkpoints || saved_step_ == step_.value()) return false;
  if (!saved_step_) return true;  // the start of a new run
  if (options_.save_steps) return step_.value() - timer_step_ >= *options_.save_steps;
  return now() - timer_seconds_ >= *options_.save_seconds;
}

bool TrainingSession::Impl::next() {
  if (finished_) return false;
  if (!begun_) {
    // A run that was stopped does not begin again.
    if (restored_ && early_stop_ && early_stop_->is_over()) stop(StopReason::early_stopping);
    for (; listeners_begun_ < options_.listeners.size(); ++listeners_begun_) {
      options_.listeners[listeners_begun_]->begin();
    }
    begun_ = true;
  }
  if (options_.max_steps && step_.value() >= *options_.max_steps) stop(StopReason::max_steps);
  if (signal()) {
    stop(StopReason::signal);
    if (options_.checkpoints && saved_step_ != step_.value()) save();
  } else if (is_due()) {
    save();
  }
  return reason_ == StopReason::none;
}

std::filesystem::path TrainingSession::Impl::save() {
  const std::int64_t step = step_.value();
  for (const auto& listener : options_.listeners) listener->before_save(step);
  SaveOptions options = options_.manager.save;
  if (metrics_step_ == step) {
    options.writer.metrics.insert(options.writer.metrics.end(), metrics_.begin(), metrics_.end());
  }
  SaveResult result = manager_->save({.number = step, .options = std::move(options)});
  saved_step_ = step;
  note_save();
  for (const auto& listener : options_.listeners) {
    if (listener->after_save(step, *result.path)) stop(StopReason::listener);
  }
  return *std::move(result.path);
}

void TrainingSession::Impl::report(std::vector<Metric> metrics) {
  const std::int64_t step = step_.value();
  if (metrics_step_ != step) metrics_.clear();
  metrics_step_ = step;
  metrics_.insert(metrics_.end(), metrics.begin(), metrics.end());
  reported_ = reported_ || !metrics.empty();
  if (!early_stop_) return;
  for (const Metric& metric : metrics) {
    if (metric.name != options_.early_stopping->metric) continue;
    judged_ = true;
    judge(metric.value);
  }
}

// What is the best on the disk has to be the best that is remembered: a save that fails is to be tried again.
void TrainingSession::Impl::judge(double value) {
  const bool better = early_stop_->improves(value);
  if (early_stop_->is_over()) stop(StopReason::early_stopping);
  if (!better || !options_.early_stopping->restore_best) return;
  try {
    save();
  } catch (...) {
    early_stop_->undo();
    throw;
  }
}

// A checkpoint of the restored step may be written again, and would lose what was measured of it.
void TrainingSession::Impl::recall_metrics(const manager::Facts& facts) {
  for (const auto& [name, value] : facts.metrics) metrics_.push_back({name, value});
  metrics_step_ = step_.value();
}

void TrainingSession::Impl::finish() {
  if (finished_ || !begun_) return;
  if (options_.checkpoints && saved_step_ != step_.value()) save();
  for (; listeners_ended_ < options_.listeners.size(); ++listeners_ended_) {
    options_.listeners[listeners_ended_]->end(step_.value());
  }
  if (early_stop_ && !judged_ && reported_) {
    base::log(LogLevel::warning, "early stopping goes by the metric \"" +
                                     base::escape(options_.early_stopping->metric) + "\", and no report had it");
  }
  if (early_stop_ && options_.early_stopping->restore_best) restore_best();
  finished_ = true;
}

// The best that is whole: what was trained must not be lost for a file that went bad meanwhile.
void TrainingSession::Impl::restore_best() {
  std::optional<Error> damaged;  // one that may be the best
  const auto pass_over = [&](const Error& problem) {
    base::log(LogLevel::warning, std::string{"not restored as the best: "} + problem.what());
    if (!damaged) damaged = problem;
  };
  for (const std::filesystem::path& file : best_first(pass_over)) {
    const auto restore_it = [&](const RestoreOptions& options) { checkpoint_.restore(file, options); };
    const auto problem = manager::restore_if_whole(file, options_.manager.restore, restore_it);
    if (!problem) return;
    pass_over(*problem);
  }
  if (damaged) throw Error{*damaged};
}

// All that the manager knows and that have the metric. `on_damage` hears of those whose metrics cannot be read.
std::vector<std::filesystem::path> TrainingSession::Impl::best_first(
    const std::function<void(const Error&)>& on_damage) const {
  std::vector<manager::Candidate> candidates;
  for (const RetentionDecision& known : manager_->retention_plan()) {
    manager::Candidate& candidate = candidates.emplace_back();
    candidate.entry.file = known.file.filename();
    candidate.facts = manager::read_facts(directory_ / candidate.entry.file);
    const std::optional<Error>& problem = candidate.facts.problem;
    if (!problem) continue;
    if (!manager::is_damage(*problem)) throw Error{*problem};
    on_damage(*problem);
  }
  std::vector<std::filesystem::path> files;
  for (const std::size_t i :
       manager::ranking(candidates, options_.early_stopping->metric, options_.early_stopping->better)) {
    files.push_back(directory_ / candidates[i].entry.file);
  }
  return files;
}

TrainingSession::TrainingSession(Checkpoint& checkpoint, const Variable<std::int64_t>& step,
                                 const std::filesystem::path& directory, SessionOptions options)
    : impl_{std::make_unique<Impl>(checkpoint, step, directory, std::move(options))} {}
TrainingSession::~TrainingSession() = default;

bool TrainingSession::next() { return impl_->next(); }
void TrainingSession::report(std::vector<Metric> metrics) { impl_->report(std::move(metrics)); }
std::filesystem::path TrainingSession::save() { return impl_->save(); }
void TrainingSession::finish() { impl_->finish(); }
void TrainingSession::request_stop() { impl_->stop(StopReason::requested); }
bool TrainingSession::should_stop() const { return impl_->reason() != StopReason::none; }
StopReason TrainingSession::stop_reason() const { return impl_->reason(); }
std::optional<int> TrainingSession::signal() const { return impl_->signal(); }
const RestoreResult& TrainingSession::restored() const { return impl_->restored(); }
CheckpointManager& TrainingSession::manager() { return impl_->manager(); }

}  // namespace ckpt
