// expect: deleted function.*bytes|call to deleted member function 'bytes'
// The view may own the memory behind the span, and the view is gone at the end of the statement.
#include <ckpt/reader.hpp>

std::size_t size(const ckpt::Reader& reader) {
#ifdef CORRECTED
  const ckpt::TensorView view = reader.tensor("kernel");
  const auto bytes = view.bytes();
#else
  const auto bytes = reader.tensor("kernel").bytes();
#endif
  return bytes.size();
}
