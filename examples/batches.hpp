// Mini-batches in a random order that a resumed run takes up exactly where it was.
#pragma once

#include "rng.hpp"

#include <ckpt/trackable.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace example {

/// Which samples make up the next batch. What is saved is small: the generator as it was when the epoch's order was
/// drawn, and the position in that order; the order itself is drawn again from these after a restore.
class ShuffledBatches : public ckpt::Trackable {
 public:
  ShuffledBatches(std::size_t samples, std::size_t batch, std::uint64_t seed)
      : samples_{samples},
        batch_{batch},
        rng_{add_variable<std::uint64_t>(
            "rng", {4},
            [seed](std::span<std::uint64_t> state) { std::ranges::copy(Rng{seed}.state(), state.begin()); })},
        position_{add_variable<std::int64_t>("position", {})} {}

  std::size_t batches_per_epoch() const noexcept { return samples_ / batch_; }

  /// Indices of samples, valid until the next call. What does not fill a batch at the end of an epoch is left out.
  std::span<const std::uint32_t> next() {
    auto position = static_cast<std::size_t>(position_.value());
    draw_order();
    if (position + batch_ > samples_) {
      std::ranges::copy(next_epoch_, rng_.mutable_values().begin());
      draw_order();
      position = 0;
    }
    position_ = static_cast<std::int64_t>(position + batch_);
    return std::span{order_}.subspan(position, batch_);
  }

 private:
  /// Does nothing while the order in memory is the one of the variable.
  void draw_order() {
    if (!order_.empty() && std::ranges::equal(rng_.values(), epoch_)) return;
    std::ranges::copy(rng_.values(), epoch_.begin());
    Rng rng{epoch_};
    order_ = shuffled(samples_, rng);
    next_epoch_ = rng.state();
  }

  std::size_t samples_;
  std::size_t batch_;
  ckpt::Variable<std::uint64_t> rng_;
  ckpt::Variable<std::int64_t> position_;

  std::vector<std::uint32_t> order_;  // drawn from epoch_
  Rng::State epoch_{};
  Rng::State next_epoch_{};  // the generator after drawing it
};

}  // namespace example
