// expect: (template constraint failure|constraints not satisfied)
#include <ckpt/containers.hpp>

int main() { ckpt::List<int> numbers; }
