// The snippets of docs/guide.md, compiled and run. Each stands here as it is there, so the guide cannot grow stale;
// consumers_test.py compares them.
#include <ckpt/ckpt.hpp>

#include <array>
#include <filesystem>
#include <iostream>
#include <span>
#include <vector>

namespace {

void fill_randomly(std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(i) / 100;
}

// clang-format off
class Dense : public ckpt::Trackable {
 public:
  explicit Dense(std::int64_t units) : units_{units} {}

  void build(std::int64_t inputs) {  // on the first call, when the input's size is known
    if (kernel_) return;
    kernel_ = add_variable<float>("kernel", {inputs, units_}, [](std::span<float> out) { fill_randomly(out); });
    bias_ = add_variable<float>("bias", {units_});  // zeros
  }

 private:
  std::int64_t units_;
  ckpt::Variable<float> kernel_;
  ckpt::Variable<float> bias_;
};

class Net : public ckpt::Trackable {
 public:
  Net() {
    track("l1", l1_);
    track("blocks", blocks_);
  }

 private:
  Dense l1_{5};
  ckpt::List<Dense> blocks_;  // children "0", "1", ...
};
// clang-format on

class Adam : public ckpt::Trackable {};

void train_step(Net& /*net*/, Adam& /*adam*/) {}

void resume() {
  Net net;
  Adam adam;
  ckpt::Variable<std::uint64_t> generator_state{1};
  // clang-format off
  ckpt::Variable<std::int64_t> step{0};
  ckpt::Checkpoint checkpoint{{"step", step}, {"optimizer", adam}, {"net", net}, {"random", generator_state}};
  ckpt::CheckpointManager manager{checkpoint, "runs/toy", {.max_to_keep = 3}};

  manager.restore_or_initialize();  // newest checkpoint that is whole, or a fresh start
  while (step < 1000) {
    train_step(net, adam);
    ++step;
    if (step % 10 == 0) manager.save();
  }
  // clang-format on
}

void restore() {
  ckpt::Variable<std::int64_t> step{0};
  ckpt::Checkpoint checkpoint{{"step", step}};
  // clang-format off
  ckpt::RestoreStatus status = checkpoint.restore("runs/toy/ckpt-100.ckpt");
  status.assert_existing_objects_matched();
  // clang-format on
  std::cout << "step " << step << '\n';
}

void write() {
  const std::vector<float> kernel(50, 0.5F);
  const std::int64_t vocabulary = 7;
  const std::int64_t width = 3;
  const std::vector<std::byte> bytes(7 * 3 * 2);
  const std::int64_t rows = 2;
  const std::int64_t columns = 4;
  const std::array<std::vector<std::byte>, 2> pieces{std::vector<std::byte>(20), std::vector<std::byte>(12)};
  // clang-format off
  ckpt::Writer writer{"model.ckpt", {.compression = ckpt::Compression::zstd}};
  writer.add<float>("net/l1/kernel", {10, 5}, kernel);                        // elements
  writer.add("embed/weight", ckpt::DType::bf16, {vocabulary, width}, bytes);  // bytes of a dtype

  writer.begin("big", ckpt::DType::f32, {rows, columns});                     // piece by piece, larger than memory
  for (const auto& piece : pieces) writer.append(piece);
  writer.end();

  writer.alias("head/weight", "embed/weight");                                // tied weights: one blob, two paths
  writer.set_metadata("tokenizer", ckpt::Json{R"({"type": "bpe"})"});
  writer.commit();
  // clang-format on
}

void infer() {
  // clang-format off
  const ckpt::Reader model = ckpt::Reader::open("model.ckpt");
  const ckpt::TensorView kernel = model.tensor("net/l1/kernel");
  const std::span<const float> weights = kernel.as<float>();
  // clang-format on
  std::cout << weights.size() << " weights\n";
}

void metadata() {
  ckpt::Variable<std::int64_t> step{7};
  ckpt::Checkpoint checkpoint{{"step", step}};
  // clang-format off
  checkpoint.save("runs/other/ckpt", {.metadata = {{"loss", 0.25}, {"note", "after warm-up"}}});

  const ckpt::Metadata metadata = ckpt::Reader::open("runs/other/ckpt-1.ckpt").metadata();
  const double loss = std::get<double>(metadata.at("loss"));
  // clang-format on
  std::cout << "loss " << loss << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::filesystem::current_path(argv[1]);  // an empty directory
  try {
    resume();
    restore();
    write();
    infer();
    metadata();
  } catch (const ckpt::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
