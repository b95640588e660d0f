// expect: no matching (function|constructor)
#include <ckpt/shape.hpp>

int main() {
#ifdef CORRECTED
  const ckpt::Shape shape{2, 2};
#else
  const ckpt::Shape shape{'2', 2};
#endif
}
