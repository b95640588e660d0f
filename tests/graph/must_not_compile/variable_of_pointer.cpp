// expect: ckpt: a Variable<T> holds numbers
#include <ckpt/variable.hpp>

int main() {
#ifdef CORRECTED
  ckpt::Variable<std::string> text;
#else
  ckpt::Variable<const char*> text;
#endif
}
