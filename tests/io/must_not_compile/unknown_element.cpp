// expect: constraint|[Ee]lement
// A C++ type that no dtype stands for.
#include <ckpt/reader.hpp>

struct Pixel {
  float red, green, blue;
};

std::size_t count(const ckpt::TensorView& view) {
#ifdef CORRECTED
  return view.as<float>().size();
#else
  return view.as<Pixel>().size();
#endif
}
