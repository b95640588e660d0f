#include "graph/save_job.hpp"

#include "graph/change_check.hpp"
#include "graph/staging.hpp"
#include "os/directory.hpp"

#include <ckpt/error.hpp>

#include <utility>

namespace ckpt::graph {

void Monitor::require_may_wait() const {
  if (os::process_id() != process) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "the process was forked, and the thread that saves is in the parent alone",
                 .advice = "make the AsyncSaver in the process that uses it"}};
  }
  if (std::this_thread::get_id() == worker) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "on_durable cannot use the AsyncSaver or wait for a save: it runs on the thread that saves",
                 .advice = "do that in the thread that trains"}};
  }
}

SaveJob::SaveJob(std::shared_ptr<Monitor> monitor, Snapshot snapshot, Staging staging, std::filesystem::path path,
                 AsyncSaveOptions options, TryAgain try_again, CopyOptions copy, double waited_seconds)
    : monitor_{std::move(monitor)},
      path_{std::move(path)},
      target_{os::absolute_path(path_)},
      copy_{copy},
      waited_seconds_{waited_seconds},
      options_{std::move(options)},
      try_again_{std::move(try_again)},
      snapshot_{std::move(snapshot)},
      staging_{std::move(staging)} {
  if (copy_.check_changes) sums_ = sums_of(snapshot_.tensors, copy_.threads);
}

void SaveJob::stage() {
  {
    std::unique_lock lock{monitor_->mutex};
    if (stage_ != Stage::waiting) {
      monitor_->changed.wait(lock, [this] { return staged(); });
      return;
    }
    stage_ = Stage::copying;
  }
  try {
    copy();
  } catch (...) {
    fail(std::current_exception());
  }
  set_staged();
}

void SaveJob::copy() {
  if (!staging_) return;  // nothing to copy
  std::vector<Snapshot::Tensor> variables;
  if (copy_.check_changes) variables = snapshot_.tensors;
  copy_into(*staging_, snapshot_, copy_.threads);
  if (!copy_.check_changes) return;
  const char* until = options_.mode == SaveMode::copy ? "save() had returned" : "staged() had returned";
  require_same(snapshot_.tensors, sums_, sums_of(snapshot_.tensors, copy_.threads), until);
  require_same(variables, sums_, sums_of(variables, copy_.threads), until);
}

void SaveJob::run() noexcept {
  try {
    if (copy_.check_changes && options_.mode != SaveMode::copy) {
      std::unique_lock lock{monitor_->mutex};
      monitor_->changed.wait(lock, [this] { return asked_; });
    }
    if (options_.mode != SaveMode::hand_off) stage();
    if (!failed()) write();
  } catch (...) {
    fail(std::current_exception());
  }
  snapshot_.tensors.clear();
  snapshot_.layout.reset();
  staging_.reset();
  options_.on_durable = nullptr;
  try_again_ = nullptr;
  set_staged();
}

void SaveJob::write() {
  os::Directory::create_all(os::parent_of(target_));
  const auto after_data = [this] {
    if (options_.mode != SaveMode::hand_off) return;
    if (copy_.check_changes) {
      require_same(snapshot_.tensors, sums_, sums_of(snapshot_.tensors, copy_.threads), "staged() had returned");
    }
    set_staged();
  };
  write_snapshot(snapshot_, target_, options_.save, after_data,
                 [this](const Error& error) { return try_again_ && has_data() && try_again_(error); });
  if (options_.on_durable) options_.on_durable(path_);
}

// Whether the values are still those of the save: what was handed off may change from *staged* on.
bool SaveJob::has_data() const {
  const std::scoped_lock lock{monitor_->mutex};
  return options_.mode != SaveMode::hand_off || !staged();
}

void SaveJob::settle() {
  {
    const std::scoped_lock lock{monitor_->mutex};
    ask();
    monitor_->changed.notify_all();
  }
  // Rather than wait for its turn in the background, behind a save that is being written.
  if (options_.mode == SaveMode::overlap) stage();
  std::unique_lock lock{monitor_->mutex};
  monitor_->changed.wait(lock, [this] { return staged(); });
}

void SaveJob::wait_staged() {
  monitor_->require_may_wait();
  settle();
  const std::scoped_lock lock{monitor_->mutex};
  if (error_) report();
}

void SaveJob::wait_done() {
  monitor_->require_may_wait();
  std::unique_lock lock{monitor_->mutex};
  ask();
  monitor_->changed.notify_all();
  monitor_->changed.wait(lock, [this] { return done_; });
  if (error_) report();
}

bool SaveJob::is_staged() const {
  monitor_->require_may_wait();
  const std::scoped_lock lock{monitor_->mutex};
  return staged();
}

bool SaveJob::is_done() const {
  monitor_->require_may_wait();
  const std::scoped_lock lock{monitor_->mutex};
  return done_;
}

void SaveJob::report() {
  reported_ = true;
  std::rethrow_exception(error_);
}

void SaveJob::set_staged() {
  const std::scoped_lock lock{monitor_->mutex};
  stage_ = Stage::staged;
  monitor_->changed.notify_all();
}

bool SaveJob::failed() const {
  const std::scoped_lock lock{monitor_->mutex};
  return error_ != nullptr;
}

void SaveJob::fail(std::exception_ptr error) noexcept {
  const std::scoped_lock lock{monitor_->mutex};
  if (!error_) error_ = std::move(error);
}

}  // namespace ckpt::graph
