#include "io/compress.hpp"

namespace ckpt::io {

void InOrder::deliver(std::size_t number, const EncodedChunk& chunk) {
  const std::size_t size = chunk.stored.size();
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [&] { return failed_ || number == next_ || size <= most_kept_ - kept_bytes_; });
  if (failed_) return;
  if (number != next_) {
    // Copied while the others go on, of whom one may come to this number.
    kept_bytes_ += size;
    lock.unlock();
    Kept copy{{chunk.stored.begin(), chunk.stored.end()}, chunk.sum};
    lock.lock();
    if (failed_) return;
    if (number != next_) {
      kept_.emplace(number, std::move(copy));
      return;
    }
    kept_bytes_ -= size;
  }
  take_turns(number, chunk, lock);
}

// Until next_ changes the turn is this thread's, and others keep what they bring. It changes after consuming: no turn
// comes after one that failed.
void InOrder::take_turns(std::size_t number, EncodedChunk chunk, std::unique_lock<std::mutex>& lock) {
  Kept kept;
  while (true) {
    lock.unlock();
    consume_(number, chunk);
    lock.lock();
    next_ = ++number;
    changed_.notify_all();
    const auto found = kept_.find(number);
    if (failed_ || found == kept_.end()) return;
    kept = std::move(found->second);
    kept_.erase(found);
    kept_bytes_ -= kept.stored.size();
    chunk = {kept.stored, kept.sum};
  }
}

void InOrder::fail() noexcept {
  const std::scoped_lock lock{mutex_};
  failed_ = true;
  changed_.notify_all();
}

}  // namespace ckpt::io
