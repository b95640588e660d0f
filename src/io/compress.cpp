#include "io/compress.hpp"

namespace ckpt::io {

void InOrder::deliver(std::size_t number, const EncodedChunk& chunk) {
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [&] { return failed_ || number <= next_ + ahead_; });
  if (failed_) return;
  if (number != next_) {
    kept_.emplace(number, Kept{{chunk.stored.begin(), chunk.stored.end()}, chunk.sum});
    return;
  }
  // Whose turn it is changes after it: no turn comes after one that failed.
  consume_(next_, chunk);
  ++next_;
  for (auto kept = kept_.find(next_); kept != kept_.end(); kept = kept_.find(next_)) {
    consume_(next_, {kept->second.stored, kept->second.sum});
    kept_.erase(kept);
    ++next_;
  }
  changed_.notify_all();
}

void InOrder::fail() noexcept {
  const std::scoped_lock lock{mutex_};
  failed_ = true;
  changed_.notify_all();
}

}  // namespace ckpt::io
