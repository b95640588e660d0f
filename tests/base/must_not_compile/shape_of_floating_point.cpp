// expect: no matching (function|constructor)
// A size that was computed in floating point is rounded by who knows how.
#include <ckpt/shape.hpp>

int main() {
#ifdef CORRECTED
  const ckpt::Shape shape{2};
#else
  const ckpt::Shape shape{2.0};
#endif
}
