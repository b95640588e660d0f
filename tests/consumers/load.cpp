#include <ckpt/ckpt.hpp>

#include <iostream>
#include <span>

int main() {
  try {
    // Maps the file and reads no tensor; with lazy verification a tensor's checksums are checked when it is asked for.
    const ckpt::Reader model = ckpt::Reader::open("model.ckpt", {.verify = ckpt::Verify::lazy});
    for (std::size_t i = 0; i < model.size(); ++i) {
      std::cout << model.info(i).path << ' ' << to_string(model.info(i).shape) << '\n';
    }
    const ckpt::TensorView kernel = model.tensor("net/l1/kernel");  // a pointer into the mapping
    const std::span<const float> weights = kernel.as<float>();      // throws when the dtype differs
    std::cout << weights[0] << '\n';
  } catch (const ckpt::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
