// A fully connected layer on Eigen's matrices, whose variables are created on its first call.
#pragma once

#include "adam.hpp"
#include "rng.hpp"

#include <ckpt/trackable.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace example {

/// One sample a row, as the bytes of a tensor lie: row-major.
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

class Dense : public ckpt::Trackable {
 public:
  Dense(std::int64_t units, std::uint64_t seed) : units_{units}, seed_{seed} {}

  /// x · kernel + bias.
  Matrix operator()(const Matrix& x) {
    if (!kernel_) create(x.cols());
    Matrix y = x * kernel();
    const std::span<const float> bias = bias_.values();
    for (Eigen::Index row = 0; row < y.rows(); ++row) {
      for (Eigen::Index unit = 0; unit < units_; ++unit) y(row, unit) += bias[static_cast<std::size_t>(unit)];
    }
    return y;
  }

  /// From the gradient of the loss by the outputs: those by kernel and bias, which are appended. They refer to memory
  /// of this layer and hold until its next call of this function.
  void backward(const Matrix& x, const Matrix& dy, std::vector<Gradient>& gradients) {
    kernel_gradient_.noalias() = x.transpose() * dy;
    // Plain loops add in one order, wherever the memory lies; Eigen's reductions may begin at an aligned address.
    bias_gradient_.assign(static_cast<std::size_t>(units_), 0.0F);
    for (Eigen::Index row = 0; row < dy.rows(); ++row) {
      for (Eigen::Index unit = 0; unit < units_; ++unit)
        bias_gradient_[static_cast<std::size_t>(unit)] += dy(row, unit);
    }
    gradients.push_back({kernel_, {kernel_gradient_.data(), static_cast<std::size_t>(kernel_gradient_.size())}});
    gradients.push_back({bias_, bias_gradient_});
  }

  /// The gradient of the loss by the inputs, from that by the outputs.
  Matrix input_gradient(const Matrix& dy) const { return dy * kernel().transpose(); }

 private:
  Eigen::Map<const Matrix> kernel() const { return {kernel_.values().data(), kernel_.shape()[0], kernel_.shape()[1]}; }

  /// Uniform by Glorot and Bengio (2010), unless a restored checkpoint has the values.
  void create(std::int64_t inputs) {
    kernel_ = add_variable<float>("kernel", {inputs, units_}, [&](std::span<float> kernel) {
      Rng rng{seed_};
      const float limit = std::sqrt(6.0F / static_cast<float>(inputs + units_));
      for (float& weight : kernel) weight = rng.symmetric(limit);
    });
    bias_ = add_variable<float>("bias", {units_});
  }

  std::int64_t units_;
  std::uint64_t seed_;
  ckpt::Variable<float> kernel_;
  ckpt::Variable<float> bias_;
  Matrix kernel_gradient_;
  std::vector<float> bias_gradient_;
};

}  // namespace example
