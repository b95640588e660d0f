// Short training sessions.
#pragma once

#include "run.hpp"

#include <utility>

namespace ckpt::test {

/// A program whose training adds 1 to a value at each step.
struct Program {
  Variable<float> value{0};
  Variable<std::int64_t> step{0};
  Checkpoint checkpoint{{"v", value}, {"step", step}};

  void train() {
    value += 1;
    ++step;
  }
};

inline SessionOptions quick_session(SessionOptions options = {}) {
  options.manager.save = quick();
  options.handle_signals = false;
  return options;
}

/// Trains until the session says stop.
inline void train(TrainingSession& session, Program& program) {
  while (session.next()) program.train();
  session.finish();
}

}  // namespace ckpt::test
