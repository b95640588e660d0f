// A clock that tests set.
#pragma once

#include <functional>
#include <memory>

namespace ckpt::test {

struct Clock {
  std::shared_ptr<double> now = std::make_shared<double>(0);  // seconds since 1970

  std::function<double()> function() const {
    return [now = now] { return *now; };
  }
  void set_hours(double hours) const { *now = hours * 3600; }
};

}  // namespace ckpt::test
