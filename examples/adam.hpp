// The optimizer Adam (Kingma and Ba, 2015), with its moments kept as slots of the variables.
#pragma once

#include <ckpt/trackable.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace example {

/// What a variable is to be changed by. `values` has as many elements as the variable and outlives the call it is
/// passed to.
struct Gradient {
  ckpt::Variable<float> variable;
  std::span<const float> values;
};

class Adam : public ckpt::Trackable {
 public:
  explicit Adam(float learning_rate) : learning_rate_{learning_rate} {}

  /// One step down the gradients of all variables.
  void apply(std::span<const Gradient> gradients) {
    ++steps_;
    const auto steps = static_cast<double>(steps_.value());
    const double correction = std::sqrt(1.0 - std::pow(kBeta2, steps)) / (1.0 - std::pow(kBeta1, steps));
    for (const Gradient& gradient : gradients) update(gradient, static_cast<float>(learning_rate_ * correction));
  }

 private:
  static constexpr float kBeta1 = 0.9F;
  static constexpr float kBeta2 = 0.999F;
  static constexpr float kEpsilon = 1e-7F;

  void update(const Gradient& gradient, float rate) {
    ckpt::Variable<float> variable = gradient.variable;
    // Made at the first step, as zeros or as what was restored; found again at every later one.
    ckpt::Variable<float> mean = add_slot<float>(variable, "m");
    ckpt::Variable<float> square = add_slot<float>(variable, "v");

    const std::span<float> weights = variable.mutable_values();
    const std::span<float> m = mean.mutable_values();
    const std::span<float> v = square.mutable_values();
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const float g = gradient.values[i];
      m[i] = kBeta1 * m[i] + (1.0F - kBeta1) * g;
      v[i] = kBeta2 * v[i] + (1.0F - kBeta2) * g * g;
      weights[i] -= rate * m[i] / (std::sqrt(v[i]) + kEpsilon);
    }
  }

  float learning_rate_;
  ckpt::Variable<std::int64_t> steps_ = add_variable<std::int64_t>("steps", {});
};

}  // namespace example
