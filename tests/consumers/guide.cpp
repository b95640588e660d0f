// The snippets of docs/guide.md, compiled and run. Each stands here as it is there, so the guide cannot grow stale;
// consumers_test.py compares them.
#include <ckpt/ckpt.hpp>

#include <array>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <optional>
#include <random>
#include <span>
#include <sstream>
#include <string>
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

// clang-format off
class Generator : public ckpt::Trackable {
 public:
  std::uint64_t operator()() { return engine_(); }

 protected:
  void before_save() override {
    std::ostringstream out;
    out << engine_;
    state_ = out.str();
  }
  void after_restore() override { std::istringstream{state_.value()} >> engine_; }

 private:
  std::mt19937_64 engine_;
  ckpt::Variable<std::string> state_ = add_variable<std::string>("state");
};
// clang-format on

class Adam : public ckpt::Trackable {};

void train_step(Net& /*net*/, Adam& /*adam*/) {}
void forward_and_backward(const Net& /*net*/) {}
void apply_gradients(Net& /*net*/, Adam& /*adam*/) {}

void resume() {
  Net net;
  Adam adam;
  ckpt::Variable<std::uint64_t> generator_state{1};
  // clang-format off
  ckpt::Variable<std::int64_t> step{0};
  ckpt::Checkpoint checkpoint{{"step", step}, {"optimizer", adam}, {"net", net}, {"random", generator_state}};
  ckpt::CheckpointManager manager{checkpoint, "runs/toy", {.max_to_keep = 3}};

  const ckpt::RestoreResult restored = manager.restore_or_initialize();  // the newest that is whole, or a fresh start
  if (restored) restored.status->assert_existing_objects_matched();      // no variable of the program is new
  while (step < 1000) {
    train_step(net, adam);
    ++step;
    if (step % 10 == 0) manager.save();
  }
  // clang-format on
}

void save_in_background() {
  Net net;
  Adam adam;
  ckpt::Variable<std::int64_t> step{0};
  ckpt::Checkpoint checkpoint{{"step", step}, {"optimizer", adam}, {"net", net}};
  // clang-format off
  ckpt::AsyncSaver saver{checkpoint};  // owns one thread, and memory for the copy
  for (int i = 0; i < 100; ++i) {
    train_step(net, adam);
    ++step;
    if (step % 50 == 0) saver.save("runs/background/ckpt");  // returns when the variables were copied
  }
  saver.wait();  // until everything is on the disk; throws what went wrong
  // clang-format on
  {
    // clang-format off
    ckpt::PendingSave save = saver.save("runs/background/ckpt");
    save.staged();                                      // you may change variables from here on
    const std::filesystem::path file = save.durable();  // the file is there, or an exception says why not
    // clang-format on
    static_cast<void>(ckpt::Reader::open(file));
  }
  // clang-format off
  ckpt::PendingSave save = saver.save("runs/background/ckpt", {.mode = ckpt::SaveMode::overlap});
  forward_and_backward(net);  // reads the weights
  save.staged();
  apply_gradients(net, adam);  // writes them
  // clang-format on
}

void save_in_background_with_a_manager() {
  Net net;
  Adam adam;
  ckpt::Variable<std::int64_t> step{0};
  ckpt::Checkpoint checkpoint{{"step", step}, {"optimizer", adam}, {"net", net}};
  // clang-format off
  ckpt::CheckpointManager manager{checkpoint, "runs/managed", {.max_to_keep = 2}};
  for (int i = 0; i < 100; ++i) {
    train_step(net, adam);
    ++step;
    if (step % 50 == 0) manager.save_async();
  }
  manager.wait_for_saves();  // throws the first error that nobody has seen
  // clang-format on
}

void keep() {
  ckpt::Variable<std::int64_t> step{0};
  ckpt::Checkpoint checkpoint{{"step", step}};
  // clang-format off
  ckpt::CheckpointManager manager{
      checkpoint,
      "runs/kept",
      {.max_to_keep = 3,
       .keep_time_grid_hours = 24,                                 // the first of each day
       .keep_every_n_steps = 10'000,                               // the first at or after each multiple
       .keep_best = {{.metric = "val_loss", .count = 2}},          // .better = ckpt::Better::higher for an accuracy
       .step_counter = step}};

  manager.save({.writer = {.metrics = {{"val_loss", 0.25}}}});

  manager.pin(1);                                                  // until unpin(1), whatever the rules say
  for (const ckpt::RetentionDecision& decision : manager.retention_plan()) {
    std::cout << decision.file << (decision.keep ? " stays: " : " goes: ") << decision.reasons.front() << '\n';
  }
  const std::optional<std::filesystem::path> best = manager.best("val_loss");
  // clang-format on
  std::cout << "best " << best->string() << '\n';
}

void by_steps() {
  ckpt::Variable<std::int64_t> step{0};
  ckpt::Checkpoint checkpoint{{"step", step}};
  // clang-format off
  ckpt::CheckpointManager manager{checkpoint, "runs/steps", {.step_counter = step, .checkpoint_interval = 100}};
  for (step = 0; step < 1000; ++step) {
    const ckpt::SaveResult saved = manager.save();                 // at steps 0, 100, 200, ...
    if (!saved) std::cout << saved.explanation << '\n';
  }
  manager.save({.check_interval = false});                         // now, unless this very step was saved
  // clang-format on
}

struct Enough {};

void evaluate(const ckpt::Reader& reader) {
  std::cout << "evaluated " << reader.path().filename().string() << '\n';
  throw Enough{};  // the training of this guide has ended: there will be no other
}

void follow() try {
  // clang-format off
  for (const std::filesystem::path& path : ckpt::NewCheckpoints{"runs/toy", {.timeout = std::chrono::minutes{30}}}) {
    evaluate(ckpt::Reader::open(path));
  }
  // clang-format on
} catch (const Enough&) {
}

double validate(const Net& /*net*/) { return 0.5; }

void session() {
  Net net;
  Adam adam;
  ckpt::Variable<std::int64_t> step{0};
  ckpt::Checkpoint checkpoint{{"step", step}, {"net", net}};
  // clang-format off
  ckpt::TrainingSession session{
      checkpoint,
      step,
      "runs/session",
      {.save_steps = 100,
       .max_steps = 1000,
       .early_stopping = ckpt::EarlyStopping{.metric = "loss", .patience = 10, .min_change = 1e-4}}};
  while (session.next()) {  // saves when it is time to
    train_step(net, adam);
    ++step;
    if (step % 50 == 0) session.report({{"loss", validate(net)}});
  }
  session.finish();         // saves the last step, then restores the best
  // clang-format on
  std::cout << "best at step " << step << '\n';
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

void state() {
  Generator generator;
  ckpt::Checkpoint checkpoint{{"random", generator}};
  checkpoint.write("random.ckpt");
  const std::uint64_t next = generator();
  checkpoint.read("random.ckpt").assert_consumed();
  std::cout << (generator() == next ? "the same random numbers\n" : "other random numbers\n");
}

void fine_tune() {
  Dense backbone{5};
  backbone.build(10);
  ckpt::Checkpoint pretrained{{"backbone", backbone}};
  ckpt::Checkpoint{{"model", pretrained}}.write("pretrained.ckpt");

  Dense encoder{5};
  Dense head{2};
  encoder.build(10);
  head.build(5);
  ckpt::Checkpoint checkpoint{{"encoder", encoder}, {"head", head}};
  // clang-format off
  ckpt::RestoreOptions options;
  options.root = "model";                                             // of the file; the rest of it does not count
  options.renames = {{"encoder/**", "backbone/**"},                   // in the program, and in the file
                     {"blocks/*/attention", "h/*/attn"}};             // each '*' stands for what the other one matched
  options.on_mismatch = {{"head/**", ckpt::OnMismatch::skip},         // another shape: keep what it has
                         {"**", ckpt::OnMismatch::cast}};             // f16, bf16, f32 and f64 into each other

  const ckpt::RestorePlan plan = checkpoint.plan("pretrained.ckpt", options);  // changes nothing
  std::cout << plan.summary() << '\n';
  for (const std::string& path : plan.missing) std::cout << "new: " << path << '\n';
  if (plan.applicable()) checkpoint.read("pretrained.ckpt", options).expect_partial();
  // clang-format on
}

void weights() {
  Net net;
  Net other_net;
  // clang-format off
  ckpt::save_weights(net, "net.ckpt");
  ckpt::load_weights(other_net, "net.ckpt");
  ckpt::load_weights(other_net, "runs/toy/ckpt-100.ckpt", {.root = "net"});  // out of the file of a whole run
  // clang-format on
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
  std::ostringstream words;
  std::streambuf* const out = std::cout.rdbuf();
  try {
    resume();
    save_in_background();
    save_in_background_with_a_manager();
    restore();
    session();
    state();
    fine_tune();
    weights();
    std::cout.rdbuf(words.rdbuf());
    keep();
    by_steps();
    std::cout.rdbuf(out);
    std::cout << words.str().substr(0, words.str().find('\n')) << '\n';
    follow();
    write();
    infer();
    metadata();
  } catch (const ckpt::Error& error) {
    std::cout.rdbuf(out);
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
