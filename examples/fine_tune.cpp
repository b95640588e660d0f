// Takes a part of a pretrained model, under another name, and trains a new head on top of it.
//
// The pretrained model maps x to its backbone's features and these to one output, y = 3x + 1. The new one is to learn
// two outputs, -6x and 6x + 2, from the same features: its `encoder` is the file's `backbone`, its `head` is new.
//
//   fine_tune DIRECTORY
#include <ckpt/ckpt.hpp>

#include <cmath>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <iostream>
#include <span>
#include <string>
#include <vector>

namespace {

/// y = w·x + b, with one step of gradient descent.
class Linear : public ckpt::Trackable {
 public:
  Linear(std::int64_t inputs, std::int64_t outputs)
      : w_{add_variable<float>("w", {outputs, inputs}, 0.1F)}, b_{add_variable<float>("b", {outputs})} {}

  std::vector<float> operator()(std::span<const float> x) const {
    std::vector<float> y(b_.values().begin(), b_.values().end());
    for (std::size_t i = 0; i < y.size(); ++i) {
      for (std::size_t k = 0; k < x.size(); ++k) y[i] += w_.values()[i * x.size() + k] * x[k];
    }
    return y;
  }

  void descend(std::span<const float> x, std::span<const float> dy, float rate) {
    for (std::size_t i = 0; i < dy.size(); ++i) {
      b_.mutable_values()[i] -= rate * dy[i];
      for (std::size_t k = 0; k < x.size(); ++k) w_.mutable_values()[i * x.size() + k] -= rate * dy[i] * x[k];
    }
  }

 private:
  ckpt::Variable<float> w_;
  ckpt::Variable<float> b_;
};

std::vector<float> difference(std::vector<float> a, std::span<const float> b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return a;
}

void pretrain(const std::filesystem::path& file) {
  Linear backbone{1, 1};
  Linear head{1, 1};
  for (int step = 0; step < 2000; ++step) {
    const std::vector<float> x{static_cast<float>(step % 5) / 5};
    const std::vector<float> wanted{3 * x[0] + 1};
    backbone.descend(x, difference(backbone(x), wanted), 0.2F);
    const std::vector<float> features = backbone(x);
    head.descend(features, difference(head(features), wanted), 0.05F);
  }
  ckpt::Checkpoint{{"backbone", backbone}, {"head", head}}.write(file);
}

/// The mean of the absolute errors after training the head alone.
float fine_tune(const std::filesystem::path& file) {
  Linear encoder{1, 1};
  Linear head{1, 2};
  ckpt::Checkpoint checkpoint{{"encoder", encoder}, {"head", head}};
  const ckpt::RestoreOptions options{.renames = {{"encoder/**", "backbone/**"}},
                                     .on_mismatch = {{"head/**", ckpt::OnMismatch::skip}}};
  const ckpt::RestorePlan plan = checkpoint.plan(file, options);
  std::cout << plan.summary() << '\n';
  for (const auto& match : plan.matched) std::cout << "  " << match.path << " from " << match.file_path << '\n';
  for (const auto& entry : plan.mismatched) {
    std::cout << "  " << entry.path << " is " << to_string(entry.wanted_shape) << ", in the file "
              << to_string(entry.found_shape) << ": left alone\n";
  }
  checkpoint.read(file, options).assert_existing_objects_matched();

  float error = 0;
  for (int step = 0; step < 5000; ++step) {
    const std::vector<float> features = encoder({{static_cast<float>(step % 5) / 5}});
    const std::vector<float> wanted{2 - 2 * features[0], 2 * features[0]};  // 2 - 2(3x + 1) = -6x; 2(3x + 1) = 6x + 2
    const std::vector<float> off = difference(head(features), wanted);
    head.descend(features, off, 0.05F);
    error = (std::fabs(off[0]) + std::fabs(off[1])) / 2;
  }
  return error;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fine_tune DIRECTORY\n";
    return 2;
  }
  try {
    const std::filesystem::path file = std::filesystem::path{argv[1]} / "pretrained.ckpt";
    if (!std::filesystem::exists(file)) pretrain(file);
    const float error = fine_tune(file);
    std::cout << "mean error " << error << '\n';
    return error < 0.01F ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "fine_tune: " << error.what() << '\n';
    return 1;
  }
}
