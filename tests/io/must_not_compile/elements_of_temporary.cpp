// expect: deleted function.*as\(|call to deleted member function 'as'
// The same for typed elements.
#include <ckpt/reader.hpp>

float first(const ckpt::Reader& reader) {
#ifdef CORRECTED
  const ckpt::TensorView view = reader.tensor("kernel");
  const std::span<const float> kernel = view.as<float>();
#else
  const std::span<const float> kernel = reader.tensor("kernel").as<float>();
#endif
  return kernel[0];
}
