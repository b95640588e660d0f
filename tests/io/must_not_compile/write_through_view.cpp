// expect: read-only|not assignable|const-qualified|cannot assign
// A mapping is shared by all processes: views are read-only.
#include <ckpt/reader.hpp>

void change(const ckpt::TensorView& view) {
  const auto elements = view.as<float>();
#ifdef CORRECTED
  static_cast<void>(elements[0]);
#else
  elements[0] = 1.0F;
#endif
}
