// expect: (template constraint failure|constraints not satisfied)
#include <ckpt/variable.hpp>

#include <string>

int main() { ckpt::Variable<std::string> text; }
