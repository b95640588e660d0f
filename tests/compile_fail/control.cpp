// The same uses as in the programs that must not compile, without their mistakes.
#include <ckpt/ckpt.hpp>

float first(const std::filesystem::path& path) {
  const ckpt::Reader reader = ckpt::Reader::open(path);
  const ckpt::TensorView view = reader.tensor("kernel");
  return view.as<float>()[0];
}
