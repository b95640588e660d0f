// expect: a const object cannot be tracked
#include <ckpt/checkpoint.hpp>

struct Layer : ckpt::Trackable {};

int main() {
  const Layer layer;
  ckpt::Checkpoint checkpoint{{"layer", layer}};
}
