#include <ckpt/ckpt.hpp>

#include <iostream>

struct Net : ckpt::Trackable {
  ckpt::Variable<float> kernel = add_variable<float>("kernel", {10, 5}, 0.5F);
  ckpt::Variable<float> bias = add_variable<float>("bias", {5});
};

int main() {
  Net net;
  ckpt::Variable<std::int64_t> step{0};
  ckpt::Checkpoint checkpoint{{"step", step}, {"net", net}};
  ckpt::CheckpointManager manager{checkpoint, "runs/toy", {.max_to_keep = 3}};

  const ckpt::RestoreResult restored = manager.restore_or_initialize();  // the newest that is whole, or a fresh start
  if (restored) restored.status->assert_existing_objects_matched();      // no variable of the program is new
  for (const std::int64_t last = step + 10; step < last;) {
    for (float& weight : net.kernel.mutable_values()) weight *= 0.9F;  // a training step
    ++step;
    manager.save();  // runs/toy/ckpt-1.ckpt, ckpt-2.ckpt, …
  }
  std::cout << "step " << step << ", newest " << *manager.latest() << '\n';
}
