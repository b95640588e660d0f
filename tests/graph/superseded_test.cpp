// Earlier restores go when a later one has all that they could still give, and only then.
#include "objects.hpp"

#include <optional>

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr int kTimes = 5;

/// A file with `w` and `extra`, made anew.
void write_weights(const std::filesystem::path& file) {
  Box net;
  net.add("w", 1);
  net.add("extra", 2);
  save_weights(net, file, quick());
}

/// Objects `a` and `b` with a value `x` each; one object with both names when the values are the same.
void write_pair(const std::filesystem::path& file, float a, float b) {
  Box first;
  Box second;
  first.add("x", a);
  second.add("x", b);
  Checkpoint{{"a", first}, {"b", a == b ? first : second}}.write(file, quick());
}

}  // namespace

TEST_CASE("a value that lies under a second name of a shared object is not lost", "[graph][superseded]") {
  const bool held = GENERATE(false, true);
  CAPTURE(held);
  TempDir dir;
  write_pair(dir / "early.ckpt", 5, 5);
  {
    Box a;
    a.add("x", 7);
    Checkpoint{{"a", a}}.write(dir / "late.ckpt", quick());
  }
  Checkpoint checkpoint;
  std::optional<RestoreStatus> status = checkpoint.read(dir / "early.ckpt");
  status->expect_partial();
  if (!held) status.reset();
  checkpoint.read(dir / "late.ckpt").expect_partial();
  Box b;
  checkpoint.track("b", b);
  CHECK(b.add("x", -1).value() == 5);
}

TEST_CASE("one object of a later file does not stand for two of an earlier", "[graph][superseded]") {
  TempDir dir;
  write_pair(dir / "early.ckpt", 1, 2);
  write_pair(dir / "late.ckpt", 7, 7);
  Checkpoint checkpoint;
  checkpoint.read(dir / "early.ckpt").expect_partial();
  checkpoint.read(dir / "late.ckpt").expect_partial();
  Box a;
  Box b;
  checkpoint.track("a", a);
  checkpoint.track("b", b);
  CHECK(a.add("x", -1).value() == 7);
  CHECK(b.add("x", -1).value() == 2);
}

TEST_CASE("a restore whose status is held stays, under however many names an object waits", "[graph][superseded]") {
  TempDir dir;
  {
    Box p;
    Box q;
    p.add("w", 3);
    q.add("k", 4);
    q.add("w", 3);
    Checkpoint{{"p", p}, {"q", q}}.write(dir / "a.ckpt", quick());
  }
  Box one;
  Checkpoint checkpoint{{"p", one}, {"q", one}};
  const auto first = checkpoint.read(dir / "a.ckpt");
  const auto second = checkpoint.read(dir / "a.ckpt");
  one.add("w", 0);
  one.add("k", 0);
  first.assert_consumed();
  second.assert_consumed();
}

TEST_CASE("loading again and again keeps one file", "[graph][superseded][weights]") {
  TempDir dir;
  Box net;
  net.add("w", 0);
  RestoreOptions options;
  SECTION("as it is") {}
  SECTION("with a rename") { options.renames = {{"w", "w"}}; }
  SECTION("with a rule that casts") { options.on_mismatch = {{"w", OnMismatch::cast}}; }
  SECTION("with a rule that skips") { options.on_mismatch = {{"w", OnMismatch::skip}}; }
  SECTION("without slots") { options.slots = false; }
  for (int i = 0; i < kTimes; ++i) {
    const auto file = dir / ("load-" + std::to_string(i) + ".ckpt");
    write_weights(file);
    load_weights(net, file, options).expect_partial();
  }
  CHECK(mappings_of("load-") == 1);
  CHECK(net.add("extra", 0).value() == 2);
  CHECK(mappings_of("load-") == 0);
}

TEST_CASE("restoring again and again keeps one file, also for slots that are kept for slots", "[graph][superseded]") {
  TempDir dir;
  const Paths names = GENERATE(Paths{"a", "b"}, Paths{"b", "a"});
  const auto make = [](Box& net, Box& first, Box& second) {
    return second.add_slot<float>(first.add_slot<float>(net.add("w", 1), "s", 2.0F), "s", 3.0F);
  };
  {
    Box net, first, second;
    make(net, first, second);
    Checkpoint checkpoint{{"net", net}, {names[0], first}, {names[1], second}};
    for (int i = 0; i < kTimes; ++i) checkpoint.write(dir / ("load-" + std::to_string(i) + ".ckpt"), quick());
  }
  Box net, first, second;
  Checkpoint checkpoint{{"net", net}, {names[0], first}, {names[1], second}};
  const bool made = GENERATE(false, true);
  if (made) net.add("w", 0);
  for (int i = 0; i < kTimes; ++i) {
    checkpoint.read(dir / ("load-" + std::to_string(i) + ".ckpt")).expect_partial();
  }
  CHECK(mappings_of("load-") == 1);
  if (!made) CHECK(make(net, first, second).value() == 3);
}

TEST_CASE("a slot that a later file does not have is not lost", "[graph][superseded]") {
  TempDir dir;
  const auto write = [&](const char* file, const char* w, const char* slow, float value) {
    Box net, adam, average;
    const auto m = adam.add_slot<float>(net.add(w, value), "m", value + 1);
    average.add_slot<float>(m, slow, value + 2);
    Checkpoint{{"adam", adam}, {"average", average}, {"net", net}}.write(dir / file, quick());
  };
  write("early.ckpt", "w", "slow", 1);
  const bool other_variable = GENERATE(false, true);
  write("late.ckpt", other_variable ? "other" : "w", other_variable ? "slow" : "fast", 4);
  Box net, adam, average;
  Checkpoint checkpoint{{"adam", adam}, {"average", average}, {"net", net}};
  const auto w = net.add("w", 0);
  checkpoint.read(dir / "early.ckpt").expect_partial();
  checkpoint.read(dir / "late.ckpt").expect_partial();
  const auto m = adam.add_slot<float>(w, "m");
  CHECK(w.value() == (other_variable ? 1 : 4));
  CHECK(m.value() == (other_variable ? 2 : 5));
  CHECK(average.add_slot<float>(m, "slow").value() == 3);
}

TEST_CASE("a later restore that may skip a value does not take the place of an earlier one", "[graph][superseded]") {
  TempDir dir;
  write_weights(dir / "early.ckpt");
  {
    Box net;
    net.add("w", 8);
    net.add_variable<float>("extra", {3}, 9.0F);
    save_weights(net, dir / "late.ckpt", quick());
  }
  Box net;
  net.add("w", 0);
  load_weights(net, dir / "early.ckpt").expect_partial();
  load_weights(net, dir / "late.ckpt", {.on_mismatch = {{"extra", OnMismatch::skip}}}).expect_partial();
  CHECK(net.add("extra", 0).value() == 2);
}
