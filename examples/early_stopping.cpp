// A training that ends when its validation loss does not fall any more, and goes on with the best state it had.
//
// A polynomial of degree 9 learns from 12 noisy points of a line: it fits them better and better, and other points of
// the line first better and then worse. It can be stopped (Ctrl-C, SIGTERM, SIGKILL) and started again at any moment.
//
//   early_stopping DIRECTORY
#include <ckpt/ckpt.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <exception>
#include <iostream>

namespace {

constexpr std::size_t kTerms = 10;

struct Polynomial : ckpt::Trackable {
  ckpt::Variable<double> coefficients = add_variable<double>("coefficients", {kTerms});

  double operator()(double x) const {
    double y = 0;
    for (std::size_t i = kTerms; i-- > 0;) y = y * x + coefficients.values()[i];
    return y;
  }

  /// One step of gradient descent towards `wanted` at `x`.
  void learn(double x, double wanted) {
    const double off = (*this)(x)-wanted;
    double power = 1;
    for (double& coefficient : coefficients.mutable_values()) {
      coefficient -= 0.05 * off * power;
      power *= x;
    }
  }
};

// What is to be learned, and how far the points that are learned from lie beside it.
double line(double x) { return 1 + 2 * x; }
constexpr std::array kNoise{0.9, -0.7, 0.4, -1.0, 0.8, -0.3, 0.6, -0.9, 1.0, -0.5, 0.3, -0.8};

double validation_loss(const Polynomial& model) {
  double loss = 0;
  for (int i = 0; i < 21; ++i) {
    const double x = -1 + 0.1 * i;
    loss += std::pow(model(x) - line(x), 2) / 21;
  }
  return loss;
}

int train(const char* directory) {
  Polynomial model;
  ckpt::Variable<std::int64_t> epoch{0};
  ckpt::Checkpoint checkpoint{{"model", model}, {"epoch", epoch}};
  ckpt::TrainingSession session{
      checkpoint,
      epoch,
      directory,
      {.save_steps = 50,
       .max_steps = 20'000,
       .early_stopping = ckpt::EarlyStopping{.metric = "validation_loss", .patience = 20, .min_change = 1e-6},
       .manager = {.max_to_keep = 2, .name = "polynomial"}}};
  while (session.next()) {
    for (std::size_t i = 0; i < kNoise.size(); ++i) {
      const double x = -1 + 2.0 * static_cast<double>(i) / (kNoise.size() - 1);
      model.learn(x, line(x) + kNoise[i]);
    }
    ++epoch;
    session.report({{"validation_loss", validation_loss(model)}});
  }
  const std::int64_t last = epoch;
  const double last_loss = validation_loss(model);
  session.finish();
  std::cout << "stopped after epoch " << last << " with loss " << last_loss << "; the best is epoch " << epoch
            << " with " << validation_loss(model) << '\n';
  return session.stop_reason() == ckpt::StopReason::early_stopping && validation_loss(model) <= last_loss ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: early_stopping DIRECTORY\n";
    return 2;
  }
  try {
    return train(argv[1]);
  } catch (const std::exception& error) {
    std::cerr << "early_stopping: " << error.what() << '\n';
    return 1;
  }
}
