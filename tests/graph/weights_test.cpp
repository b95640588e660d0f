// One object by itself: save_weights and load_weights.
#include "objects.hpp"

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("the weights of a model, without counters and optimizer", "[graph][weights]") {
  TempDir dir;
  Dense dense;
  dense(3);
  Box adam;
  auto m = adam.add_slot<float>(dense.kernel, "m", 5.0F);
  Checkpoint checkpoint{{"net", dense}, {"adam", adam}};
  checkpoint.save(dir / "run", quick());
  dense.kernel.mutable_values()[0] = 42;
  CHECK(save_weights(dense, dir / "deep/er/w.ckpt", quick()) == dir / "deep/er/w.ckpt");
  CHECK(paths_in(dir / "deep/er/w.ckpt") == Paths{"bias", "kernel"});

  Dense built;
  built(3);
  load_weights(built, dir / "deep/er/w.ckpt").assert_consumed();
  CHECK(built.kernel.values()[0] == 42);
  load_weights(built, dir / "run-1.ckpt", {.root = "net"}).assert_consumed();
  CHECK(built.kernel.values()[0] == 1);

  Dense later;
  const auto status = load_weights(later, dir / "deep/er/w.ckpt");
  later(3);
  CHECK(later.kernel.values()[0] == 42);
  status.assert_consumed();
  CHECK(m.values()[0] == 5);
}

TEST_CASE("weights are loaded whole or not at all", "[graph][weights]") {
  TempDir dir;
  Box model;
  auto a = model.add("a", 1);
  save_weights(model, dir / "w.ckpt", quick());
  a = 2;
  auto b = model.add("b", 3);
  CKPT_REQUIRE_ERROR(error, ErrorCode::mismatch, load_weights(model, dir / "w.ckpt"));
  CHECK(error.details().object == "b");
  CHECK(error.details().file == dir / "w.ckpt");
  CHECK(a.value() == 2);
  // One saved value cannot become two.
  CKPT_CHECK_CODE(ErrorCode::mismatch, load_weights(model, dir / "w.ckpt", {.renames = {{"b", "a"}}}));
  CHECK(a.value() == 2);
  CHECK(b.value() == 3);
  CKPT_CHECK_CODE(ErrorCode::not_found, load_weights(model, dir / "none.ckpt"));
}
