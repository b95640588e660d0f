// expect: ckpt: a List holds classes that derive from ckpt::Trackable
#include <ckpt/containers.hpp>

int main() { ckpt::List<int> numbers; }
