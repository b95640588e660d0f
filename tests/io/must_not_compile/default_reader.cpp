// expect: no matching function|no matching constructor|private
// There is no Reader without a file.
#include <ckpt/reader.hpp>

std::size_t size() {
#ifdef CORRECTED
  const ckpt::Reader reader = ckpt::Reader::open("a.ckpt");
#else
  const ckpt::Reader reader;
#endif
  return reader.size();
}
