#include "io/pipeline.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace ckpt::io {

Pipeline::Pipeline(unsigned threads, int level, std::size_t chunk_bytes)
    : most_threads_{threads}, level_{level}, chunk_bytes_{chunk_bytes} {
  given_back_.reserve(std::size_t{threads} + 1);
}

Pipeline::~Pipeline() {
  stop();
  {
    const std::scoped_lock lock{mutex_};
    ending_ = true;
    work_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

// Enough for an encoder, its chunk and the levels that are used; it is never touched. One thread has all there is.
void Pipeline::reserve_memory() noexcept {
  if (most_threads_ == 1 || std::exchange(has_reserved_, true)) return;
  reserve_.reset(new (std::nothrow) std::byte[6 * chunk_bytes_]);
  const std::scoped_lock lock{mutex_};
  if (reserve_) ++able_;
}

std::size_t Pipeline::submit(Job& job, std::size_t bytes) {
  reserve_memory();
  const std::scoped_lock lock{mutex_};
  jobs_.push_back({&job, bytes});
  bytes_ += bytes;
  ++submitted_;
  start_threads();
  wake();
  return submitted_;
}

// As many as have something to do; for little data, starting one takes longer than what it would do. The process may
// have no more threads or memory: fewer do.
void Pipeline::start_threads() noexcept {
  constexpr std::size_t kWorthAThread = std::size_t{64} << 10U;
  const std::size_t useful = std::min(bytes_ / kWorthAThread, bytes_ / chunk_bytes_ + jobs_.size());
  try {
    while (may_start_more_ && threads_.size() < std::min<std::size_t>(most_threads_ - 1, useful)) {
      threads_.emplace_back([this] { run(); });
      ++able_;
    }
  } catch (const std::exception&) {
    may_start_more_ = false;
  }
}

void Pipeline::run() noexcept {
  std::optional<codec::ChunkEncoder> encoder;
  Lock lock{mutex_};
  while (true) {
    work_.wait(lock, [this] { return ending_ || has_work(); });
    if (ending_ || !do_work(lock, encoder)) return;
  }
}

std::size_t Pipeline::finished() {
  const std::scoped_lock lock{mutex_};
  return finished_;
}

void Pipeline::wait_for(std::size_t jobs) {
  Lock lock{mutex_};
  target_ = jobs;
  while ((failure_ || finished_ < target_) && !is_at_rest()) {
    if (may_work_ && has_work()) {
      may_work_ = do_work(lock, encoder_) || std::exchange(reserve_, nullptr) != nullptr;  // frees what was set aside
    } else {
      is_waiting_ = true;
      done_.wait(lock, [this] { return !is_waiting_; });
    }
  }
  if (failure_) std::rethrow_exception(failure_);
}

void Pipeline::stop() noexcept {
  Lock lock{mutex_};
  stopped_ = true;
  while (!is_at_rest()) {
    is_waiting_ = true;
    done_.wait(lock, [this] { return !is_waiting_; });
  }
}

// There is at most so much between what is dealt out and what is consumed, or one chunk.
bool Pipeline::can_encode() const {
  if (dealing_ == submitted_) return false;
  const Entry& entry = jobs_[dealing_ - finished_];
  if (!entry.is_chosen) return false;
  const std::size_t most = std::size_t{3} * most_threads_ * chunk_bytes_;
  return dealt_out_ == consumed_ || room_taken_ + entry.job->room_for(next_of_dealing_) <= most;
}

// Whether the thread found memory for it. If not, that of its encoder is free for others.
bool Pipeline::do_work(Lock& lock, std::optional<codec::ChunkEncoder>& encoder) noexcept {
  const Task task = take_task();
  bool has_memory = true;
  ++active_;
  wake();
  lock.unlock();
  try {
    if (!encoder) encoder.emplace(level_);
    if (task.is_choice) {
      choose(lock, *task.entry, *encoder);
    } else {
      deliver(lock, task.number, task.entry->job->encode(task.chunk, *encoder));
    }
  } catch (const std::bad_alloc&) {
    has_memory = false;
    encoder.reset();
    if (!lock.owns_lock()) lock.lock();
    give_back(task);
  } catch (...) {
    if (!lock.owns_lock()) lock.lock();
    fail();
  }
  --active_;
  wake();
  return has_memory;
}

// What was given back comes first: the others may wait for it. Then compressing; while that waits for a choice or for
// room, the next choices are made.
Pipeline::Task Pipeline::take_task() {
  if (!given_back_.empty()) {
    const auto before = [](const Task& task) { return std::pair{task.is_choice, task.number}; };
    const auto first = std::ranges::min_element(given_back_, {}, before);
    const Task task = *first;
    given_back_.erase(first);
    return task;
  }
  if (!can_encode()) {
    const std::size_t number = choosing_++;
    return {.is_choice = true, .number = number, .entry = &jobs_[number - finished_]};
  }
  Entry& entry = jobs_[dealing_ - finished_];
  const Task task{.number = dealt_out_++, .entry = &entry, .chunk = next_of_dealing_++};
  room_taken_ += entry.job->room_for(task.chunk);
  if (next_of_dealing_ == entry.count) {
    ++dealing_;
    next_of_dealing_ = 0;
  }
  return task;
}

void Pipeline::choose(Lock& lock, Entry& entry, codec::ChunkEncoder& encoder) {
  entry.job->choose(encoder);
  const std::size_t count = entry.job->count();
  lock.lock();
  entry.count = count;
  entry.is_chosen = true;
}

// Consumes the chunk when it is its turn, with those that waited for it; or leaves a copy to whoever comes to it. Until
// consumed_ changes, the turn is this thread's. It changes after consuming: no turn comes after one that failed. A
// thread has its turn as long as others bring the next chunk in time, also that which waits for less.
void Pipeline::deliver(Lock& lock, std::size_t number, EncodedChunk chunk) {
  Kept kept;
  lock.lock();
  if (number != consumed_) {
    // Copied while the others go on, of whom one may come to this number.
    lock.unlock();
    kept = {{chunk.stored.begin(), chunk.stored.end()}, chunk.sum};
    lock.lock();
    if (number != consumed_) {
      kept_.emplace(number, std::move(kept));
      return;
    }
  }
  consume(lock, chunk);
  for (auto found = kept_.find(consumed_); !stopped_ && found != kept_.end(); found = kept_.find(consumed_)) {
    kept = std::move(found->second);
    kept_.erase(found);
    consume(lock, {kept.stored, kept.sum});
  }
}

void Pipeline::consume(Lock& lock, const EncodedChunk& chunk) {
  const Entry& entry = jobs_.front();
  lock.unlock();
  try {
    entry.job->consume(next_of_finishing_, chunk);
  } catch (...) {
    lock.lock();
    return fail();
  }
  lock.lock();
  room_taken_ -= entry.job->room_for(next_of_finishing_++);
  ++consumed_;
  if (next_of_finishing_ == entry.count) {
    bytes_ -= entry.bytes;
    jobs_.pop_front();
    ++finished_;
    next_of_finishing_ = 0;
  }
  wake();
}

// From a handler. No thread is started any more, even if there is memory again.
void Pipeline::give_back(const Task& task) noexcept {
  given_back_.push_back(task);
  may_start_more_ = false;
  if (--able_ == 0) fail();
}

// From a handler. A chunk that was half consumed cannot be given back.
void Pipeline::fail() noexcept {
  if (!failure_) failure_ = std::current_exception();
  stopped_ = true;
}

// One at a time, who wakes the next one when there is more to do.
void Pipeline::wake() {
  if (is_waiting_ && (finished_ >= target_ || is_at_rest())) wake_waiter();
  if (!has_work()) return;
  if (is_waiting_ && may_work_) {
    wake_waiter();
  } else {
    work_.notify_one();
  }
}

void Pipeline::wake_waiter() {
  is_waiting_ = false;
  done_.notify_one();
}

}  // namespace ckpt::io
