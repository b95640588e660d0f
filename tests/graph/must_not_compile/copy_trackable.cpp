// expect: (use of deleted function|call to implicitly-deleted copy constructor)
#include <ckpt/trackable.hpp>

struct Layer : ckpt::Trackable {};

int main() {
  Layer layer;
  Layer copy{layer};
}
