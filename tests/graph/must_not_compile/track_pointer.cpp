// expect: ckpt: track the object and not a pointer to it
#include <ckpt/checkpoint.hpp>

#include <memory>

int main() {
  const auto net = std::make_unique<ckpt::Checkpoint>();
#ifdef CORRECTED
  ckpt::Checkpoint checkpoint{{"net", *net}};
#else
  ckpt::Checkpoint checkpoint{{"net", net}};
#endif
}
