// Objects that a hostile file is restored into: restoring a state is as exposed as loading weights.
#pragma once

#include <ckpt/ckpt.hpp>

#include <support/errors.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>

namespace ckpt::test::hostile {

class Part : public Trackable {
 public:
  using Trackable::add_slot;
  using Trackable::add_variable;
  using Trackable::track;
};

/// Restores the objects of the sample's graph: some that exist, then some that come later and get what waits for them.
/// The error, if there was one; what is no ckpt::Error passes through.
inline std::optional<Error> restore_objects(const std::filesystem::path& path) {
  Part model;
  Part optimizer;
  const auto kernel = model.add_variable<std::uint8_t>("kernel", {2, 3});
  Checkpoint checkpoint{{"model", model}, {"optimizer", optimizer}};
  return error_of([&] {
    const RestoreStatus status = checkpoint.restore(path);
    optimizer.add_variable<std::uint8_t>("m", {2, 3});
    model.add_slot<std::uint8_t>(kernel, "m");
    Part later;
    model.track("later", later);
    status.expect_partial();
  });
}

}  // namespace ckpt::test::hostile
