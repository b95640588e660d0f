// expect: deleted function.*as\(|call to deleted member function 'as'
// A view that was moved from gives nothing either.
#include <ckpt/reader.hpp>

#include <utility>

float first(ckpt::TensorView view) {
#ifdef CORRECTED
  return view.as<float>()[0];
#else
  return std::move(view).as<float>()[0];
#endif
}
