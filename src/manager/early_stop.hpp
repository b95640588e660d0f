// Whether a metric still becomes better.
#pragma once

#include <ckpt/session.hpp>

#include <array>
#include <span>

namespace ckpt::manager {

/// Its state is a variable of the checkpoint, so that a resumed run goes on waiting where it stopped. The checkpoint
/// keeps that variable when this object is gone, and another object goes on with it.
class EarlyStop {
 public:
  /// Throws invalid_argument for bad options, already_exists when the checkpoint has something else as
  /// `early_stopping`.
  EarlyStop(Checkpoint& checkpoint, const EarlyStopping& options);

  /// Whether this value is better than all before; counts it as one without an improvement otherwise. NaN never is.
  bool improves(double value);

  /// Takes the last improves() back.
  void undo();

  /// Whether patience is at its end.
  bool is_over() const { return state_.values()[1] >= options_.patience; }

 private:
  std::span<double> writable();

  EarlyStopping options_;
  Variable<double> state_;  // the best value so far, NaN for none; reports since then
  std::array<double, 2> before_{};
};

}  // namespace ckpt::manager
