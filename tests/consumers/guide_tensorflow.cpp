// The lines of ckpt in the table "Coming from TensorFlow" of docs/guide.md, compiled and run; consumers_test.py
// compares them. Long lines stand as they do there.
#include <ckpt/ckpt.hpp>

#include <chrono>
#include <exception>
#include <filesystem>
#include <iostream>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

void fill_randomly(std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(i) / 100;
}

void load_pretrained() {}

// clang-format off
class Dense : public ckpt::Trackable {
 public:
  void build(std::int64_t inputs) {
    if (kernel_) return;
    kernel_ = add_variable<float>("kernel", {inputs, units_}, [](std::span<float> out) { fill_randomly(out); });
    bias_ = add_variable<float>("bias", {units_});
  }
  const ckpt::Variable<float>& kernel() const { return kernel_; }

 private:
  std::int64_t units_ = 5;
  ckpt::Variable<float> kernel_;
  ckpt::Variable<float> bias_;
};

class Net : public ckpt::Trackable {
 public:
  Net() {
    track("l1", layer_);
    track("blocks", blocks_);
    blocks_.emplace_back();
  }
  void build(std::int64_t inputs) {
    layer_.build(inputs);
    blocks_.back().build(5);
  }
  const ckpt::Variable<float>& kernel() const { return layer_.kernel(); }

 private:
  Dense layer_;
  ckpt::List<Dense> blocks_;
};

class Adam : public ckpt::Trackable {
 public:
  void build(const ckpt::Variable<float>& kernel) { add_slot<float>(kernel, "m"); }

 protected:
  void before_save() override { ++saves_; }
  void after_restore() override { saves_ = 0; }

 private:
  int saves_ = 0;
};

void manage(const ckpt::Variable<std::int64_t>& step, Adam& adam, Net& net) {
  ckpt::Checkpoint checkpoint{{"step", step}, {"optimizer", adam}, {"net", net}};
  {
    ckpt::CheckpointManager manager{checkpoint, "runs/tf", {.max_to_keep = 3}};
    const ckpt::RestoreResult restored = manager.restore_or_initialize();
    if (restored) std::cout << "restored " << *restored.path << '\n';
    const ckpt::SaveResult saved = manager.save();
    manager.save_async();
    manager.wait_for_saves();
    manager.save(7);
  }
  ckpt::CheckpointManager manager{checkpoint, "runs/tf", {.max_to_keep = 3}};
  const ckpt::RestoreResult restored = manager.restore_or_initialize();
  if (restored) std::cout << "restored " << *restored.path << '\n';
  manager.checkpoints();
  manager.latest();
}

void options(ckpt::Checkpoint& checkpoint, const ckpt::Variable<std::int64_t>& step) {
  ckpt::CheckpointManager{checkpoint, "runs/a", {.max_to_keep = std::nullopt, .keep_every_n_hours = 24}};
  ckpt::CheckpointManager{checkpoint, "runs/b", {.step_counter = step, .checkpoint_interval = 100, .init_fn = load_pretrained}};
  ckpt::CheckpointManager{checkpoint, "runs/c", {.keep_best = {{.metric = "val_loss"}}}};
}

void one_file(ckpt::Checkpoint& checkpoint) {
  checkpoint.save("one/ckpt");
  checkpoint.write("exact.ckpt");
  ckpt::RestoreStatus status = checkpoint.read("exact.ckpt");
  status.assert_consumed();
  status.assert_existing_objects_matched();
  status.assert_nontrivial_match();
  status.expect_partial();
}

void parts_and_containers(Net& net) {
  const auto latest = ckpt::latest_checkpoint("runs/tf");
  Net late;
  ckpt::Checkpoint{{"net", late}}.restore(*latest).expect_partial();
  late.build(10);
  Dense layer;
  ckpt::Checkpoint{{"l1", layer}}.read(*latest, {.root = "net"}).expect_partial();
  ckpt::List<ckpt::Variable<float>> list;
  list.push_back(ckpt::Variable<float>{1});
  ckpt::Map<ckpt::Variable<float>> map;
  map.emplace("one", 1.0F);
  ckpt::save_weights(net, "weights.ckpt");
  ckpt::load_weights(net, "weights.ckpt");
}

void look_inside() {
  const auto latest = ckpt::latest_checkpoint("runs/tf");
  const ckpt::Reader reader = ckpt::Reader::open(*latest);
  const ckpt::TensorInfo info = reader.info(0);
  std::cout << info.path << ' ' << to_string(info.shape) << (info.dtype == ckpt::DType::f32 ? "\n" : "?\n");
  if (!reader.contains("net/l1/kernel")) throw std::runtime_error("no kernel");
  const ckpt::TensorView kernel = reader.tensor("net/l1/kernel");
}

void follow() {
  for (const std::filesystem::path& path : ckpt::NewCheckpoints{"runs/tf", {.timeout = std::chrono::minutes{30}}}) {
    ckpt::Reader::open(path);
    std::cout << "evaluated\n";
    return;
  }
}

void loop(ckpt::Checkpoint& checkpoint, ckpt::Variable<std::int64_t>& step) {
  {
    ckpt::TrainingSession session{checkpoint, step, "runs/loop", {.save_steps = 100, .max_steps = 1000}};
    while (session.next()) ++step;
    session.finish();
  }
  step = 0;
  ckpt::SessionOptions stopping{.max_steps = 30, .early_stopping = ckpt::EarlyStopping{.metric = "val_loss", .patience = 10}};
  ckpt::TrainingSession session{checkpoint, step, "runs/stopping", std::move(stopping)};
  while (session.next()) session.report({{"val_loss", static_cast<double>(++step)}});
  session.finish();
}
// clang-format on

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    std::filesystem::current_path(argv[1]);  // an empty directory
    ckpt::Variable<std::int64_t> step{0};
    Net net;
    Adam adam;
    net.build(10);
    adam.build(net.kernel());
    manage(step, adam, net);
    ckpt::Checkpoint checkpoint{{"step", step}, {"net", net}};
    options(checkpoint, step);
    one_file(checkpoint);
    parts_and_containers(net);
    look_inside();
    follow();
    loop(checkpoint, step);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
