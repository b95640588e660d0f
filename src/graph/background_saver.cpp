#include "graph/background_saver.hpp"

#include "base/log.hpp"
#include "base/parallel.hpp"
#include "graph/save.hpp"
#include "graph/walk.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

namespace ckpt::graph {
namespace {

AsyncOptions checked(AsyncOptions options) {
  if (options.max_in_flight >= 1) return options;
  throw Error{ErrorCode::invalid_argument, {.problem = "max_in_flight must be at least 1"}};
}

CopyOptions copy_options(const AsyncOptions& options) {
  return {base::thread_count(options.copy_threads), options.check_changes};
}

void log_unreported(const std::exception_ptr& error) {
  std::string reason = "unknown";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& exception) {
    reason = exception.what();
  } catch (...) {
  }
  base::log(LogLevel::warning, "a save in the background failed, and nobody asked for its result: " + reason);
}

}  // namespace

BackgroundSaver::BackgroundSaver(std::shared_ptr<CheckpointState> state, const AsyncOptions& options)
    : state_{std::move(state)},
      options_{checked(options)},
      copy_{copy_options(options)},
      pool_{options.max_staging_bytes} {
  try {
    thread_ = std::thread{[this] { run(); }};
  } catch (const std::system_error& error) {
    throw Error{ErrorCode::limit,
                {.problem = "cannot start the thread that saves in the background",
                 .advice = "raise the limit on threads (ulimit -u, pids of the cgroup), or use Checkpoint::save",
                 .system_error = error.code().value()}};
  }
  const std::scoped_lock lock{monitor_->mutex};
  monitor_->worker = thread_.get_id();
}

BackgroundSaver::~BackgroundSaver() {
  {
    const std::scoped_lock lock{monitor_->mutex};
    for (const auto& job : jobs_) job->ask();
    ending_ = true;
    monitor_->changed.notify_all();
  }
  thread_.join();
  {
    const std::scoped_lock lock{monitor_->mutex};
    std::erase_if(failed_, [](const auto& job) { return job->reported(); });
  }
  for (const auto& job : failed_) log_unreported(job->error());
}

bool BackgroundSaver::is_forked() const noexcept { return os::process_id() != monitor_->process; }

PendingSave BackgroundSaver::save(const std::filesystem::path& prefix, AsyncSaveOptions options) {
  monitor_->require_may_wait();
  const std::int64_t number = next_number(save_counter(*state_));
  return save_as(numbered_path(prefix, number), number, std::move(options));
}

PendingSave BackgroundSaver::save_as(const std::filesystem::path& path, std::int64_t counter, AsyncSaveOptions options,
                                     TryAgain try_again) {
  monitor_->require_may_wait();
  Variable<std::int64_t> variable = save_counter(*state_);
  Reserved reserved = reserve(options.mode);
  const std::int64_t before = variable.value();
  variable = counter;
  try {
    return start(std::move(reserved), path, std::move(options), std::move(try_again));
  } catch (...) {
    variable = before;
    throw;
  }
}

PendingSave BackgroundSaver::write(const std::filesystem::path& path, AsyncSaveOptions options) {
  monitor_->require_may_wait();
  Reserved reserved = reserve(options.mode);
  return start(std::move(reserved), path, std::move(options));
}

BackgroundSaver::Reserved BackgroundSaver::reserve(SaveMode mode) {
  Reserved reserved;
  Lock lock{monitor_->mutex};
  reserved.waited_seconds = wait_until(lock, [this] { return jobs_.size() < options_.max_in_flight; });
  throw_unreported();
  failed_.reserve(failed_.size() + jobs_.size() + 1);
  reserved.waited_seconds += settle_earlier(lock);
  std::vector<Snapshot::Tensor> list = std::move(list_);
  lock.unlock();
  reserved.snapshot = collector_.collect(*state_, std::move(list));
  lock.lock();
  if (mode != SaveMode::hand_off) reserved.staging = take_staging(lock, reserved.snapshot, reserved.waited_seconds);
  return reserved;
}

Staging BackgroundSaver::take_staging(Lock& lock, const Snapshot& snapshot, double& waited_seconds) {
  const std::uint64_t bytes = staged_bytes(snapshot);
  if (bytes == 0) return {};
  pool_.require_possible(bytes);
  os::Memory* memory = nullptr;
  waited_seconds += wait_until(lock, [&] { return (memory = pool_.take(bytes)) != nullptr; });
  return {memory, [this](const os::Memory* piece) {
            const std::scoped_lock relock{monitor_->mutex};
            pool_.give_back(piece);
            monitor_->changed.notify_all();
          }};
}

// Returns the seconds that it took.
template <typename Ready>
double BackgroundSaver::wait_until(Lock& lock, const Ready& ready) {
  if (!jobs_.empty()) {
    for (const auto& job : jobs_) job->ask();
    monitor_->changed.notify_all();
  }
  if (ready()) return 0;
  const auto begin = std::chrono::steady_clock::now();
  monitor_->changed.wait(lock, ready);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Collecting calls before_save of the objects, which writes what earlier saves may still read. Returns the seconds that
// it took.
double BackgroundSaver::settle_earlier(Lock& lock) {
  if (std::ranges::all_of(jobs_, [](const auto& job) { return job->staged(); })) return 0;
  const std::vector<std::shared_ptr<SaveJob>> earlier{jobs_.begin(), jobs_.end()};
  lock.unlock();
  const auto begin = std::chrono::steady_clock::now();
  for (const auto& job : earlier) job->settle();
  lock.lock();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// The library itself changes the counter, at the next save, whatever the caller keeps from changing.
void BackgroundSaver::own_counter(Snapshot& snapshot) const {
  const auto counter = as_variable(require_root(*state_)->child(kSaveCounterName));
  if (!counter) return;
  for (Snapshot::Tensor& tensor : snapshot.tensors) {
    if (tensor.bytes.empty() || tensor.bytes.data() != counter->storage.data) continue;
    Storage copy = allocate(tensor.bytes.size());
    std::memcpy(copy.data, tensor.bytes.data(), copy.size);
    tensor.bytes = copy.bytes();
    tensor.owner = std::move(copy.owner);
  }
}

PendingSave BackgroundSaver::start(Reserved reserved, std::filesystem::path path, AsyncSaveOptions options,
                                   TryAgain try_again) {
  own_counter(reserved.snapshot);
  const auto job =
      std::make_shared<SaveJob>(monitor_, std::move(reserved.snapshot), std::move(reserved.staging), std::move(path),
                                std::move(options), std::move(try_again), copy_, reserved.waited_seconds);
  if (job->mode() == SaveMode::copy) job->stage();
  {
    const std::scoped_lock lock{monitor_->mutex};
    jobs_.push_back(job);
  }
  monitor_->changed.notify_all();  // unlocked: the thread would wake up to wait for the mutex
  return PendingSave{job};
}

void BackgroundSaver::throw_unreported() {
  std::erase_if(failed_, [](const auto& job) { return job->reported(); });
  if (failed_.empty()) return;
  const std::shared_ptr<SaveJob> oldest = std::move(failed_.front());
  failed_.erase(failed_.begin());
  oldest->report();
}

void BackgroundSaver::wait() {
  monitor_->require_may_wait();
  Lock lock{monitor_->mutex};
  wait_until(lock, [this] { return jobs_.empty(); });
  throw_unreported();
}

void BackgroundSaver::drain() {
  monitor_->require_may_wait();
  Lock lock{monitor_->mutex};
  wait_until(lock, [this] { return jobs_.empty(); });
}

std::size_t BackgroundSaver::in_flight() const {
  monitor_->require_may_wait();
  const std::scoped_lock lock{monitor_->mutex};
  return jobs_.size();
}

std::uint64_t BackgroundSaver::staging_bytes() const {
  monitor_->require_may_wait();
  const std::scoped_lock lock{monitor_->mutex};
  return pool_.bytes();
}

void BackgroundSaver::release_staging() {
  monitor_->require_may_wait();
  const std::scoped_lock lock{monitor_->mutex};
  pool_.release();
  list_ = std::vector<Snapshot::Tensor>{};  // {} would keep the memory
}

void BackgroundSaver::run() noexcept {
  os::run_as_batch();
  Lock lock{monitor_->mutex};
  while (true) {
    monitor_->changed.wait(lock, [this] { return !jobs_.empty() || ending_; });
    if (jobs_.empty()) return;
    const std::shared_ptr<SaveJob> job = jobs_.front();
    lock.unlock();
    job->run();
    lock.lock();
    // In one step, so that whoever sees that this save is done also sees its place free and its error noted.
    jobs_.pop_front();
    list_ = job->take_list();
    job->finish();
    if (job->error()) failed_.push_back(job);  // save() has made room
    monitor_->changed.notify_all();
  }
}

}  // namespace ckpt::graph
