#include "io/pipeline.hpp"

#include <algorithm>
#include <utility>

namespace ckpt::io {

Pipeline::Pipeline(unsigned threads, int level, std::size_t chunk_bytes)
    : most_threads_{threads}, level_{level}, chunk_bytes_{chunk_bytes} {}

Pipeline::~Pipeline() {
  stop();
  {
    const std::scoped_lock lock{mutex_};
    ending_ = true;
    work_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

std::size_t Pipeline::submit(Job& job, std::size_t bytes) {
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
    if (ending_) return;
    do_work(lock, encoder);
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
    if (has_work()) {
      do_work(lock, encoder_);
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

// Compressing comes first; while that waits for a choice or for room, the next choices are made.
void Pipeline::do_work(Lock& lock, std::optional<codec::ChunkEncoder>& encoder) noexcept {
  ++active_;
  try {
    if (!encoder) encoder.emplace(level_);
    if (can_encode()) {
      encode(lock, *encoder);
    } else {
      choose(lock, *encoder);
    }
  } catch (...) {
    if (!lock.owns_lock()) lock.lock();
    if (!failure_) failure_ = std::current_exception();
    stopped_ = true;
  }
  --active_;
  wake();
}

void Pipeline::choose(Lock& lock, codec::ChunkEncoder& encoder) {
  Entry& entry = jobs_[choosing_++ - finished_];  // stays where it is while others come and go
  wake();
  lock.unlock();
  entry.job->choose(encoder);
  const std::size_t count = entry.job->count();
  lock.lock();
  entry.count = count;
  entry.is_chosen = true;
}

void Pipeline::encode(Lock& lock, codec::ChunkEncoder& encoder) {
  const Entry& entry = jobs_[dealing_ - finished_];
  const Job& job = *entry.job;
  const std::size_t chunk = next_of_dealing_++;
  const std::size_t number = dealt_out_++;
  room_taken_ += job.room_for(chunk);
  if (next_of_dealing_ == entry.count) {
    ++dealing_;
    next_of_dealing_ = 0;
  }
  wake();
  lock.unlock();
  deliver(lock, number, job.encode(chunk, encoder));
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
  entry.job->consume(next_of_finishing_, chunk);
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

// One at a time, who wakes the next one when there is more to do.
void Pipeline::wake() {
  if (is_waiting_ && (finished_ >= target_ || is_at_rest())) wake_waiter();
  if (!has_work()) return;
  if (is_waiting_) {
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
