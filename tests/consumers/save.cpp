#include <ckpt/ckpt.hpp>

#include <iostream>
#include <vector>

int main() {
  const std::vector<float> kernel(10 * 5, 0.5F);
  const std::vector<float> bias(5, 0.0F);
  try {
    ckpt::Writer writer{"model.ckpt"};
    writer.add<float>("net/l1/kernel", {10, 5}, kernel);
    writer.add<float>("net/l1/bias", {5}, bias);
    writer.set_metadata("note", "my first checkpoint");
    writer.commit();  // atomic and durable; without it, nothing appears
  } catch (const ckpt::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
