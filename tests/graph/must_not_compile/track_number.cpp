// expect: this cannot be tracked: only ckpt::Variable and classes that derive from ckpt::Trackable
#include <ckpt/checkpoint.hpp>

int main() { ckpt::Checkpoint checkpoint{{"step", 3}}; }
