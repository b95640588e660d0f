// A manager at work in another process.
#pragma once

#include "run.hpp"

#include <ckpt/writer.hpp>

#include <support/child.hpp>

#include <csignal>
#include <optional>
#include <stdexcept>

namespace ckpt::test {

/// Holds the directory, with a save half done under the number 99, until kill() or the end. Must be made while this
/// process has one thread.
class LiveManager {
 public:
  explicit LiveManager(const std::filesystem::path& directory, const ManagerOptions& options = {}) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    child_ = ::fork();
    if (child_ < 0) throw std::runtime_error("fork");
    if (child_ == 0) work(directory, options, ends[1]);
    ::close(ends[1]);
    char ready = 0;
    const ssize_t got = ::read(ends[0], &ready, 1);
    ::close(ends[0]);
    if (got != 1) throw std::runtime_error("the manager in the other process did not start");
  }
  ~LiveManager() { kill(); }
  LiveManager(const LiveManager&) = delete;
  LiveManager& operator=(const LiveManager&) = delete;

  void kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    wait_for(child_);
    child_ = -1;
  }

 private:
  [[noreturn]] static void work(const std::filesystem::path& directory, const ManagerOptions& options, int ready) {
    try {
      Run run{directory, options};
      Writer writer{directory / "ckpt-99.ckpt"};
      writer.add("v", DType::u8, {4}, random_bytes(4, 1));
      if (::write(ready, "x", 1) == 1) {
        while (true) ::pause();
      }
    } catch (...) {
    }
    ::_exit(1);
  }

  pid_t child_ = -1;
};

}  // namespace ckpt::test
