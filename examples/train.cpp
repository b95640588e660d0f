// A training loop that can be killed at any moment and goes on where its newest checkpoint left it.
//
// The network of TensorFlow's checkpoint guide: one dense layer of 5 units that learns 5·x + [0, 1, 2, 3, 4] for
// x = 0 … 9, with Adam and a checkpoint after every step. Run it, kill it, run it again:
//
//   train DIRECTORY [--steps N] [--losses FILE] [--final FILE] [--pause-ms N]
#include "adam.hpp"
#include "final_state.hpp"
#include "loss_log.hpp"
#include "options.hpp"
#include "rng.hpp"

#include <ckpt/ckpt.hpp>

#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

namespace {

constexpr const char* kUsage = "usage: train DIRECTORY [--steps N] [--losses FILE] [--final FILE] [--pause-ms N]";

constexpr std::size_t kBatch = 2;
constexpr std::size_t kUnits = 5;
constexpr std::int64_t kSteps = 50;  // ten times through the ten inputs

using Outputs = std::array<float, kBatch * kUnits>;  // row-major

struct Batch {
  std::array<float, kBatch> inputs;
  Outputs labels;
};

/// The batch of a step. It depends on the step alone, so a run that is resumed sees the data that it would have seen.
Batch batch_of(std::int64_t step) {
  Batch batch{};
  for (std::size_t row = 0; row < kBatch; ++row) {
    const float x = static_cast<float>((static_cast<std::size_t>(step) * kBatch + row) % 10);
    batch.inputs[row] = x;
    for (std::size_t unit = 0; unit < kUnits; ++unit) {
      batch.labels[row * kUnits + unit] = 5.0F * x + static_cast<float>(unit);
    }
  }
  return batch;
}

/// Creates its variables on its first call. If a checkpoint was restored before, they begin with the values from there.
class Dense : public ckpt::Trackable {
 public:
  Outputs operator()(const std::array<float, kBatch>& inputs) {
    if (!kernel_) {
      kernel_ = add_variable<float>("kernel", {1, kUnits}, [](std::span<float> kernel) {
        example::Rng rng{std::uint64_t{42}};
        for (float& weight : kernel) weight = rng.symmetric(1.0F);
      });
      bias_ = add_variable<float>("bias", {kUnits});
    }
    Outputs outputs{};
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const std::size_t unit = i % kUnits;
      outputs[i] = inputs[i / kUnits] * kernel_.values()[unit] + bias_.values()[unit];
    }
    return outputs;
  }

  const ckpt::Variable<float>& kernel() const { return kernel_; }
  const ckpt::Variable<float>& bias() const { return bias_; }

 private:
  ckpt::Variable<float> kernel_;
  ckpt::Variable<float> bias_;
};

class Net : public ckpt::Trackable {
 public:
  Net() { track("l1", l1_); }

  Outputs operator()(const std::array<float, kBatch>& inputs) { return l1_(inputs); }
  const Dense& l1() const { return l1_; }

 private:
  Dense l1_;
};

/// Takes one step and returns the mean absolute error before it.
float train_step(Net& net, example::Adam& adam, const Batch& batch) {
  const Outputs outputs = net(batch.inputs);
  constexpr float kShare = 1.0F / static_cast<float>(kBatch * kUnits);

  float loss = 0.0F;
  std::array<float, kUnits> kernel_gradient{};
  std::array<float, kUnits> bias_gradient{};
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const float difference = outputs[i] - batch.labels[i];
    const float slope = difference > 0.0F ? kShare : (difference < 0.0F ? -kShare : 0.0F);
    loss += std::abs(difference) * kShare;
    kernel_gradient[i % kUnits] += slope * batch.inputs[i / kUnits];
    bias_gradient[i % kUnits] += slope;
  }
  const example::Gradient gradients[] = {{net.l1().kernel(), kernel_gradient}, {net.l1().bias(), bias_gradient}};
  adam.apply(gradients);
  return loss;
}

void train(const example::Options& options) {
  const std::int64_t steps = options.number("--steps", kSteps, 1);
  const std::chrono::milliseconds pause{options.number("--pause-ms", 0, 0)};  // stands for the work of a larger network
  example::LossLog losses{options.text("--losses")};

  ckpt::Variable<std::int64_t> step{0};
  Net net;
  example::Adam adam{0.1F};
  ckpt::Checkpoint checkpoint{{"step", step}, {"optimizer", adam}, {"net", net}};
  ckpt::CheckpointManager manager{checkpoint, options.directory(), {.max_to_keep = 3, .name = "test"}};

  const ckpt::RestoreResult restored = manager.restore_or_initialize();
  const char* const origin = restored ? restored.path->c_str() : "nothing: no checkpoint yet";
  std::printf("starting at step %lld from %s\n", static_cast<long long>(step.value()), origin);

  while (step < steps) {
    const float loss = train_step(net, adam, batch_of(step));
    ++step;
    losses.add(step, loss);
    manager.save();
    if (step % 10 == 0) {
      std::printf("step %4lld  loss %8.4f\n", static_cast<long long>(step.value()), static_cast<double>(loss));
    }
    std::this_thread::sleep_for(pause);
  }

  const std::string final_path = options.text("--final");
  if (!final_path.empty()) example::write_final_state(manager.latest().value(), final_path);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // lines survive a kill
    ckpt::set_log_callback([](ckpt::LogLevel, std::string_view message) {
      std::fprintf(stderr, "ckpt: %.*s\n", static_cast<int>(message.size()), message.data());
    });
    train(example::Options{argc, argv, {"--steps", "--losses", "--final", "--pause-ms"}});
    return 0;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "train: %s\n%s\n", error.what(), kUsage);
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train: %s\n", error.what());
    return 1;
  }
}
