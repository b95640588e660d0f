// Training on real data that can be killed at any moment and goes on where its newest checkpoint left it.
//
// A perceptron with one hidden layer learns the ten kinds of clothes of Fashion-MNIST, 60,000 images of 28×28 pixels
// (Debian: dataset-fashion-mnist). The checkpoint holds weights, Adam's moments, and where the run is in its data: the
// state of the random generator and the position in the epoch. Run it, kill it, run it again:
//
//   fashion_mnist DIRECTORY [--epochs N] [--steps N] [--save-every N] [--losses FILE] [--final FILE] [--data DIRECTORY]
#include "adam.hpp"
#include "batches.hpp"
#include "dense.hpp"
#include "final_state.hpp"
#include "idx.hpp"
#include "loss_log.hpp"
#include "options.hpp"

#include <ckpt/ckpt.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr const char* kUsage =
    "usage: fashion_mnist DIRECTORY [--epochs N] [--steps N] [--save-every N] "
    "[--losses FILE] [--final FILE] [--data DIRECTORY]";

using example::Matrix;

constexpr std::size_t kBatch = 100;
constexpr Eigen::Index kClasses = 10;

struct Samples {
  std::size_t pixels;  // of one image
  std::vector<std::uint8_t> images;
  std::vector<std::uint8_t> labels;

  std::size_t size() const noexcept { return labels.size(); }
};

/// `set` is "train" or "t10k".
Samples load(const std::filesystem::path& directory, const std::string& set) {
  if (!std::filesystem::is_directory(directory)) {
    throw std::runtime_error{directory.string() +
                             ": no such directory; install Debian's dataset-fashion-mnist, or name one with --data"};
  }
  example::Idx images = example::read_idx(directory / (set + "-images-idx3-ubyte.gz"), 3);
  example::Idx labels = example::read_idx(directory / (set + "-labels-idx1-ubyte.gz"), 1);
  if (images.dims[0] != labels.dims[0] || std::ranges::max(labels.elements) >= kClasses) {
    throw std::runtime_error{directory.string() + ": images and labels of " + set + " do not belong together"};
  }
  return {images.dims[1] * images.dims[2], std::move(images.elements), std::move(labels.elements)};
}

/// One image a row, with values from 0 to 1.
Matrix gather(const Samples& samples, std::span<const std::uint32_t> indices) {
  Matrix x(static_cast<Eigen::Index>(indices.size()), static_cast<Eigen::Index>(samples.pixels));
  float* out = x.data();
  for (const std::uint32_t index : indices) {
    const std::uint8_t* image = samples.images.data() + index * samples.pixels;
    out = std::transform(image, image + samples.pixels, out,
                         [](std::uint8_t pixel) { return static_cast<float>(pixel) / 255.0F; });
  }
  return x;
}

/// 784 inputs, 128 hidden units, 10 classes.
class Net : public ckpt::Trackable {
 public:
  Net() {
    track("hidden", hidden_);
    track("output", output_);
  }

  /// A score for each class.
  Matrix operator()(const Matrix& x) {
    hidden_out_ = hidden_(x).cwiseMax(0.0F);
    return output_(hidden_out_);
  }

  /// Gradients of all variables, from that by the scores of the last call, which was given `x`.
  std::vector<example::Gradient> backward(const Matrix& x, const Matrix& dscores) {
    std::vector<example::Gradient> gradients;
    output_.backward(hidden_out_, dscores, gradients);
    Matrix dhidden = output_.input_gradient(dscores);
    for (Eigen::Index i = 0; i < dhidden.size(); ++i) {
      if (hidden_out_.data()[i] <= 0.0F) dhidden.data()[i] = 0.0F;
    }
    hidden_.backward(x, dhidden, gradients);
    return gradients;
  }

 private:
  example::Dense hidden_{128, 1};
  example::Dense output_{kClasses, 2};
  Matrix hidden_out_;
};

/// The mean cross-entropy of softmax(scores). Replaces the scores by the gradient of that loss.
float softmax_loss(Matrix& scores, std::span<const std::uint32_t> indices, const Samples& samples) {
  float loss = 0.0F;
  const float share = 1.0F / static_cast<float>(scores.rows());
  for (Eigen::Index row = 0; row < scores.rows(); ++row) {
    const std::span<float> score{&scores(row, 0), static_cast<std::size_t>(scores.cols())};
    const std::size_t label = samples.labels[indices[static_cast<std::size_t>(row)]];
    const float highest = std::ranges::max(score);
    float sum = 0.0F;
    for (float& s : score) sum += s = std::exp(s - highest);
    loss -= std::log(std::max(score[label] / sum, 1e-30F)) * share;
    for (float& s : score) s *= share / sum;
    score[label] -= share;
  }
  return loss;
}

/// The share of images whose class gets the highest score.
double accuracy(Net& net, const Samples& samples) {
  std::vector<std::uint32_t> all(samples.size());
  std::iota(all.begin(), all.end(), 0U);
  std::size_t right = 0;
  for (std::size_t begin = 0; begin < all.size(); begin += 1000) {
    const auto indices = std::span{all}.subspan(begin, std::min<std::size_t>(1000, all.size() - begin));
    const Matrix scores = net(gather(samples, indices));
    for (std::size_t row = 0; row < indices.size(); ++row) {
      Eigen::Index best = 0;
      scores.row(static_cast<Eigen::Index>(row)).maxCoeff(&best);
      right += best == samples.labels[indices[row]] ? 1U : 0U;
    }
  }
  return static_cast<double>(right) / static_cast<double>(samples.size());
}

void train(const example::Options& options) {
  const std::filesystem::path data = options.text("--data", "/usr/share/datasets/fashion-mnist");
  const Samples training = load(data, "train");
  const std::int64_t epochs = options.number("--epochs", 2, 1);
  const std::int64_t save_every = options.number("--save-every", 25, 1);
  example::LossLog losses{options.text("--losses")};

  ckpt::Variable<std::int64_t> step{0};
  Net net;
  example::Adam adam{0.001F};
  example::ShuffledBatches batches{training.size(), kBatch, 3};
  ckpt::Checkpoint checkpoint{{"step", step}, {"optimizer", adam}, {"net", net}, {"data", batches}};
  ckpt::CheckpointManager manager{checkpoint, options.directory(), {.max_to_keep = 3, .name = "fashion"}};

  const ckpt::RestoreResult restored = manager.restore_or_initialize();
  const char* const origin = restored ? restored.path->c_str() : "nothing: no checkpoint yet";
  std::printf("starting at step %lld from %s\n", static_cast<long long>(step.value()), origin);

  const std::int64_t whole = epochs * static_cast<std::int64_t>(batches.batches_per_epoch());
  const std::int64_t steps = options.number("--steps", whole, 1);
  while (step < steps) {
    const std::span<const std::uint32_t> indices = batches.next();
    const Matrix x = gather(training, indices);
    Matrix scores = net(x);
    const float loss = softmax_loss(scores, indices, training);
    adam.apply(net.backward(x, scores));
    ++step;
    losses.add(step, loss);
    if (step % save_every == 0 || step == steps) manager.save({.writer = {.step = step}});
    if (step % 400 == 0) {
      std::printf("step %4lld  loss %.4f\n", static_cast<long long>(step.value()), static_cast<double>(loss));
    }
  }
  std::printf("test accuracy %.2f %%\n", 100.0 * accuracy(net, load(data, "t10k")));

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
    train(example::Options{argc, argv, {"--epochs", "--steps", "--save-every", "--losses", "--final", "--data"}});
    return 0;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "fashion_mnist: %s\n%s\n", error.what(), kUsage);
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fashion_mnist: %s\n", error.what());
    return 1;
  }
}
