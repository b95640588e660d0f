// The same on several threads that begin at once.
#pragma once

#include <barrier>
#include <cstddef>
#include <exception>
#include <string>
#include <thread>
#include <vector>

namespace ckpt::test {

/// Runs `body(i)` for each i below `count` on a thread of its own; they begin together. Each returns a text that says
/// what is wrong, empty when nothing is. Returns the first of these; assertions of the test belong behind it.
template <typename Body>
std::string together(std::size_t count, const Body& body) {
  std::barrier start{static_cast<std::ptrdiff_t>(count)};
  std::vector<std::string> wrong(count);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        start.arrive_and_wait();
        try {
          wrong[i] = body(i);
        } catch (const std::exception& error) {
          wrong[i] = std::string{"exception: "} + error.what();
        }
      });
    }
  }
  for (const std::string& text : wrong) {
    if (!text.empty()) return text;
  }
  return {};
}

}  // namespace ckpt::test
