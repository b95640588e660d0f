// Helpers for the tests of saves in the background.
#pragma once

#include "objects.hpp"

#include <future>
#include <utility>

namespace ckpt::test {

/// Holds the background thread, in the on_durable of a save, until open(). A save that is called after that one does
/// not begin to be written before.
class Gate {
 public:
  ~Gate() { open(); }
  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void open() {
    if (!std::exchange(opened_, true)) promise_.set_value();
  }
  auto on_durable() {
    return [wait = opening_](const std::filesystem::path&) { wait.wait(); };
  }

 private:
  bool opened_ = false;
  std::promise<void> promise_;
  std::shared_future<void> opening_ = promise_.get_future().share();
};

/// Without fsync.
inline AsyncSaveOptions quick(SaveMode mode) {
  AsyncSaveOptions options;
  options.save = quick();
  options.mode = mode;
  return options;
}

inline AsyncSaveOptions held(Gate& gate) {
  AsyncSaveOptions options = quick(SaveMode::copy);
  options.on_durable = gate.on_durable();
  return options;
}

inline constexpr SaveMode kModes[] = {SaveMode::copy, SaveMode::overlap, SaveMode::hand_off};

}  // namespace ckpt::test
