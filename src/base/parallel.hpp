// The same work on several threads, for the length of a call.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace ckpt::base {

/// Of one call: more would only take memory.
constexpr unsigned kMostThreads = 256;

/// Cores that this thread may run on, and so those that it starts: a job may have been given a few of the machine.
unsigned core_count() noexcept;

/// What an option means that says how many threads: 0 is one per core.
inline unsigned thread_count(unsigned wanted) noexcept {
  return std::min(kMostThreads, wanted != 0 ? wanted : core_count());
}

/// Runs `work` on up to `threads` threads, this one included, and returns when all are done. Throws what one of them
/// threw.
template <typename Work>
void run_on(unsigned threads, const Work& work) {
  std::mutex mutex;
  std::exception_ptr failure;
  const auto guarded = [&] {
    try {
      work();
    } catch (...) {
      const std::scoped_lock lock{mutex};
      failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    try {
      while (others.size() + 1 < threads) others.emplace_back([&guarded] { guarded(); });
    } catch (const std::exception&) {
      // The process may have no more threads or memory: fewer do, and this one alone, too.
    }
    guarded();
  }
  if (failure) std::rethrow_exception(failure);
}

/// Deals out the numbers below `count`, in their order, to up to `threads` threads. Each of them calls `make_worker`
/// once, and what that returned with one number after the other. After an exception no more are dealt out; it is
/// thrown again when all threads are done.
template <typename MakeWorker>
void deal_out(std::size_t count, unsigned threads, const MakeWorker& make_worker) {
  std::atomic<std::size_t> next = 0;
  run_on(static_cast<unsigned>(std::min<std::size_t>(std::min(threads, kMostThreads), count)), [&] {
    try {
      auto worker = make_worker();
      for (std::size_t i = next++; i < count; i = next++) worker(i);
    } catch (...) {
      next = count;
      throw;
    }
  });
}

}  // namespace ckpt::base
