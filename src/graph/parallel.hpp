// The same work on several threads, for the length of a call.
#pragma once

#include <exception>
#include <thread>
#include <vector>

namespace ckpt::graph {

/// Runs `work`, which must not throw, on up to `threads` threads, this one included, and returns when all are done.
template <typename Work>
void run_on(unsigned threads, const Work& work) {
  std::vector<std::jthread> others;
  try {
    while (others.size() + 1 < threads) others.emplace_back([&work] { work(); });
  } catch (const std::exception&) {
    // The process may have no more threads or memory: fewer do, and this one alone, too.
  }
  work();
}

}  // namespace ckpt::graph
