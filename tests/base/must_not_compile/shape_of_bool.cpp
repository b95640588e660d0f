// expect: no matching (function|constructor)
#include <ckpt/shape.hpp>

int main() {
#ifdef CORRECTED
  const ckpt::Shape shape{1, 2};
#else
  const ckpt::Shape shape{true, 2};
#endif
}
