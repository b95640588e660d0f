#include "objects.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// A file with `net/w` = 1, `adam/m/net/w` = 2 and `adam/v/net/w` = 3.
void write_slots(const std::filesystem::path& file, float w = 1, float m = 2) {
  Box net;
  Box adam;
  const auto variable = net.add("w", w);
  adam.add_slot<float>(variable, "m", m);
  adam.add_slot<float>(variable, "v", 3.0F);
  Checkpoint{{"adam", adam}, {"net", net}}.write(file, quick());
}

}  // namespace

TEST_CASE("slots are saved below their owner", "[graph][slots]") {
  TempDir dir;
  write_slots(dir / "a.ckpt");
  CHECK(paths_in(dir / "a.ckpt") == Paths{"adam/m/net/w", "adam/v/net/w", "net/w"});
  const ObjectGraph graph = Reader::open(dir / "a.ckpt").graph();
  REQUIRE(graph.slots.size() == 2);
  CHECK(graph.slots[0].name == "m");
  CHECK(graph.nodes[graph.slots[0].variable].tensor == "net/w");
}

TEST_CASE("slots are restored whatever comes first", "[graph][slots][testDeferredSlotRestoration]") {
  TempDir dir;
  write_slots(dir / "a.ckpt");
  const int order = GENERATE(0, 1, 2, 3, 4, 5);
  CAPTURE(order);
  Checkpoint checkpoint;
  Box net;
  Box adam;
  Variable<float> w{0};
  Variable<float> m;
  const auto make_slots = [&] {
    m = adam.add_slot<float>(w, "m");
    adam.add_slot<float>(w, "v");
  };
  std::optional<RestoreStatus> status;
  const auto restore = [&] { status = checkpoint.read(dir / "a.ckpt"); };
  const auto attach_net = [&] {
    net.track("w", w);
    checkpoint.track("net", net);
  };
  const auto attach_adam = [&] { checkpoint.track("adam", adam); };
  switch (order) {
    case 0:
      attach_net(), attach_adam(), make_slots(), restore();
      break;
    case 1:
      attach_net(), attach_adam(), restore(), make_slots();
      break;
    case 2:
      restore(), attach_net(), attach_adam(), make_slots();
      break;
    case 3:
      restore(), make_slots(), attach_adam(), attach_net();
      break;
    case 4:
      restore(), make_slots(), attach_net(), attach_adam();
      break;
    default:
      attach_adam(), restore(), make_slots(), attach_net();
      break;
  }
  CHECK(w.value() == 1);
  CHECK(m.value() == 2);
  CHECK(adam.add_slot<float>(w, "v").value() == 3);
  status->assert_consumed();
  CHECK(status->pending().empty());
}

TEST_CASE("slots and variables of overlapping restores merge", "[graph][slots][testDeferredSlotRestoration]") {
  TempDir dir;
  write_slots(dir / "first.ckpt", 11, 14);
  {
    Box net;
    net.add("w", 12);
    Checkpoint{{"net", net}}.write(dir / "second.ckpt", quick());
  }
  Box net;
  Box adam;
  Checkpoint checkpoint{{"adam", adam}, {"net", net}};
  const auto first = checkpoint.read(dir / "first.ckpt");
  const auto second = checkpoint.read(dir / "second.ckpt");
  const auto w = net.add("w", 0);
  CHECK(w.value() == 12);
  second.assert_consumed();
  CHECK(adam.add_slot<float>(w, "m").value() == 14);
  CHECK(second.unmatched_in_program() == Paths{"adam/m/net/w"});
  CKPT_CHECK_CODE(ErrorCode::mismatch, first.assert_consumed());
  CHECK(first.pending() == Paths{"adam/v/net/w"});
  adam.add_slot<float>(w, "v");
  first.assert_consumed();
}

TEST_CASE("asking for a slot again gives the same one", "[graph][slots]") {
  Box adam;
  Variable<float> w{{2, 3}};
  auto m = adam.add_slot<float>(w, "m", 5.0F);
  CHECK(m.shape() == Shape{2, 3});
  CHECK(adam.add_slot<float>(w, "m").same_as(m));
  CKPT_CHECK_CODE(ErrorCode::mismatch, adam.add_slot<double>(w, "m"));
  CHECK(!adam.add_slot<float>(w, "v").same_as(m));
  Variable<float> other{1};
  CHECK(!adam.add_slot<float>(other, "m").same_as(m));
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, adam.add_slot<float>(Variable<float>{}, "m"));
}

TEST_CASE("a slot is saved only when its variable is", "[graph][slots]") {
  TempDir dir;
  Box adam;
  Variable<float> w{1};
  adam.add_slot<float>(w, "m");
  {
    Variable<float> gone{1};
    adam.add_slot<float>(gone, "m");
  }
  Checkpoint{{"adam", adam}}.write(dir / "a.ckpt", quick());
  CHECK(paths_in(dir / "a.ckpt").empty());
  Checkpoint{{"adam", adam}, {"w", w}}.write(dir / "b.ckpt", quick());
  CHECK(paths_in(dir / "b.ckpt") == Paths{"adam/m/w", "w"});
}

TEST_CASE("a slot of another shape changes nothing", "[graph][slots]") {
  TempDir dir;
  write_slots(dir / "a.ckpt");
  Box net;
  Box adam;
  Checkpoint checkpoint{{"adam", adam}, {"net", net}};
  Variable<float> w{{2}, 9.0F};
  const auto status = checkpoint.read(dir / "a.ckpt");
  status.expect_partial();
  CKPT_CHECK_CODE(ErrorCode::mismatch, net.track("w", w));
  CHECK(w.values()[0] == 9);
  const auto right = net.add("w", 0);
  CHECK(right.value() == 1);
  CKPT_CHECK_CODE(ErrorCode::mismatch, adam.add_slot<double>(right, "m"));
  CHECK(adam.add_slot<float>(right, "m").value() == 2);
}

TEST_CASE("slots of a plain object are left over, aloud", "[graph][slots][testSkipSlotVarRestore]") {
  TempDir dir;
  write_slots(dir / "a.ckpt");
  LogCapture log;
  {
    Box net;
    const auto w = net.add("w", 0);
    Checkpoint checkpoint{{"net", net}};
    const auto status = checkpoint.read(dir / "a.ckpt");
    CHECK(w.value() == 1);
    CHECK(status.unmatched_in_file() == Paths{"adam/m/net/w", "adam/v/net/w"});
  }
  CHECK(log.warnings.size() == 1);
}

TEST_CASE("a slot may be kept for a slot, and is saved and restored with it", "[graph][slots]") {
  TempDir dir;
  // Of three objects, each keeps something for what the one before keeps; whichever the names put first.
  const Paths names = GENERATE(Paths{"a", "b", "c"}, Paths{"c", "b", "a"}, Paths{"b", "c", "a"});
  const auto path = [&](std::size_t depth) {
    std::string result = "net/w";
    for (std::size_t i = 0; i < depth; ++i) result.insert(0, names[i] + "/s/");
    return result;
  };
  struct Program {
    explicit Program(const Paths& names) {
      checkpoint.track("net", net);
      for (std::size_t i = 0; i < 3; ++i) checkpoint.track(names[i], keepers[i]);
    }
    void make(float first) {
      chain = {net.add("w", first)};
      for (Box& keeper : keepers) chain.push_back(keeper.add_slot<float>(chain.back(), "s", first += 1));
    }
    float sum() const { return std::accumulate(chain.begin(), chain.end(), 0.0F, add); }
    static float add(float total, const Variable<float>& variable) { return total + variable.value(); }

    Box net;
    std::array<Box, 3> keepers;
    Checkpoint checkpoint;
    std::vector<Variable<float>> chain;
  };
  {
    Program program{names};
    program.make(1);
    Variable<float> elsewhere{1};
    program.keepers[2].add_slot<float>(program.keepers[1].add_slot<float>(elsewhere, "s"), "s");
    program.checkpoint.write(dir / "a.ckpt", quick());
  }
  Paths expected{path(0), path(1), path(2), path(3)};
  std::ranges::sort(expected);
  CHECK(paths_in(dir / "a.ckpt") == expected);
  CHECK(Reader::open(dir / "a.ckpt", {.verify = Verify::full}).graph().slots.size() == 3);
  Program program{names};
  SECTION("where all are there") {
    program.make(0);
    CHECK(program.checkpoint.plan(dir / "a.ckpt").summary() == "4 matched, 0 mismatched, 0 missing, 0 extra");
    program.checkpoint.read(dir / "a.ckpt").assert_consumed();
  }
  SECTION("where they come later") {
    const auto status = program.checkpoint.read(dir / "a.ckpt");
    CHECK(status.pending() == expected);
    program.make(0);
    status.assert_consumed();
  }
  SECTION("which are new to the file") {
    program.make(0);
    Box net;
    net.add("w", 10);
    Checkpoint{{"net", net}}.write(dir / "b.ckpt", quick());
    const auto status = program.checkpoint.read(dir / "b.ckpt");
    expected.erase(std::ranges::find(expected, "net/w"));
    CHECK(status.unmatched_in_program() == expected);
    program.chain.erase(program.chain.begin() + 1, program.chain.end());
  }
  CHECK(program.sum() == 10);
}

TEST_CASE("a slot that is also tracked is saved once", "[graph][slots]") {
  TempDir dir;
  {
    Box net;
    Box adam;
    adam.track("moment", adam.add_slot<float>(net.add("w", 1), "m", 2.0F));
    Checkpoint{{"adam", adam}, {"net", net}}.write(dir / "a.ckpt", quick());
  }
  CHECK(paths_in(dir / "a.ckpt") == Paths{"adam/moment", "net/w"});
  const bool with_slots = GENERATE(true, false);
  Box net;
  Box adam;
  const auto w = net.add("w", 0);
  Checkpoint checkpoint{{"adam", adam}, {"net", net}};
  SECTION("the same program") {
    const auto m = adam.add_slot<float>(w, "m");
    adam.track("moment", m);
    checkpoint.read(dir / "a.ckpt", {.slots = with_slots}).assert_consumed();
    CHECK(m.value() == 2);
  }
  SECTION("which makes them later") {
    const auto status = checkpoint.read(dir / "a.ckpt", {.slots = with_slots});
    CHECK(status.pending() == Paths{"adam/moment"});
    const auto m = adam.add_slot<float>(w, "m");
    adam.track("moment", m);
    CHECK(m.value() == 2);
    status.assert_consumed();
  }
}

TEST_CASE("a slot whose path something else has is refused, and both are named", "[graph][slots]") {
  TempDir dir;
  Box net;
  Box adam;
  Box m;
  adam.track("m", m);
  Box below;
  m.track("net", below);
  below.add("w", 1);
  adam.add_slot<float>(net.add("w", 1), "m");
  Checkpoint checkpoint{{"adam", adam}, {"net", net}};
  CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, checkpoint.write(dir / "a.ckpt", quick()));
  CHECK(error.details().object == "adam/m/net/w");
  CHECK(contains(error.what(), "the slot 'm' that 'adam' has for 'net/w'"));
  CHECK(contains(error.what(), "the variable that is tracked there"));
}
