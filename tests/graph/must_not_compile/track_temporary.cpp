// expect: a temporary object cannot be tracked
#include <ckpt/checkpoint.hpp>

struct Layer : ckpt::Trackable {};

int main() { ckpt::Checkpoint checkpoint{{"layer", Layer{}}}; }
