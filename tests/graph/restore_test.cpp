#include "objects.hpp"

#include <array>
#include <memory>
#include <optional>

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// A file with `net/layer/kernel` and `net/layer/bias`, and `net/sibling` if wanted.
void write_net(const std::filesystem::path& file, float kernel, float bias, bool with_sibling = false) {
  Box net;
  if (with_sibling) net.add("sibling", 3);
  Box layer;
  net.track("layer", layer);
  layer.add("kernel", kernel);
  layer.add("bias", bias);
  Checkpoint{{"net", net}}.write(file, quick());
}

/// A file with the one value `v`.
void write_value(const std::filesystem::path& file, float value) {
  Variable<float> v{value};
  Checkpoint{{"v", v}}.write(file, quick());
}

}  // namespace

TEST_CASE("an object tracked later is restored then", "[graph][restore][testLateDependencyTracking]") {
  TempDir dir;
  write_net(dir / "a.ckpt", 123, 4);
  Box net;
  Checkpoint checkpoint{{"net", net}};
  const auto status = checkpoint.read(dir / "a.ckpt");
  CHECK_NOTHROW(status.assert_existing_objects_matched());
  CKPT_CHECK_CODE(ErrorCode::mismatch, status.assert_consumed());
  CHECK(status.pending() == Paths{"net/layer/bias", "net/layer/kernel"});
  Box layer;
  auto kernel = layer.add("kernel", 0);
  net.track("layer", layer);
  CHECK(kernel.value() == 123);
  CHECK(status.pending() == Paths{"net/layer/bias"});
  layer.add("bias", 0);
  status.assert_consumed().assert_existing_objects_matched().assert_nontrivial_match();
  CHECK(status.pending().empty());
}

TEST_CASE("variables created after their object was restored", "[graph][restore][testDepAfterVar]") {
  TempDir dir;
  {
    Dense dense;
    dense(3);
    dense.kernel.mutable_values()[5] = 8;
    Checkpoint{{"dense", dense}}.write(dir / "a.ckpt", quick());
  }
  Dense dense;
  Checkpoint checkpoint{{"dense", dense}};
  const auto status = checkpoint.read(dir / "a.ckpt");
  dense(3);
  CHECK(dense.kernel.values()[5] == 8);
  status.assert_consumed();
}

TEST_CASE("the initializer is not called when a value waits", "[graph][restore]") {
  TempDir dir;
  write_value(dir / "a.ckpt", 5);
  Box root;
  Checkpoint checkpoint{root};
  const auto status = checkpoint.read(dir / "a.ckpt");
  bool called = false;
  const auto v = root.add_variable<float>("v", {}, [&](std::span<float>) { called = true; });
  CHECK(v.value() == 5);
  CHECK(!called);
  root.add_variable<float>("w", {}, [&](std::span<float>) { called = true; });
  CHECK(called);
  CHECK(status.unmatched_in_program() == Paths{"w"});
}

TEST_CASE("a variable with another shape is refused when it is created",
          "[graph][restore][test_restore_incompatible_shape]") {
  TempDir dir;
  write_value(dir / "a.ckpt", 5);
  Box root;
  Checkpoint checkpoint{root};
  const auto status = checkpoint.read(dir / "a.ckpt");
  CKPT_REQUIRE_ERROR(error, ErrorCode::mismatch, root.add_variable<float>("v", {2}));
  CHECK(error.details().object == "v");
  CHECK(error.details().expected == "f32 [2]");
  CHECK(error.details().found == "f32 []");
  CHECK(error.details().file == dir / "a.ckpt");
  CKPT_CHECK_CODE(ErrorCode::mismatch, root.add_variable<double>("v", {}));
  Variable<double> wrong{1};
  CKPT_CHECK_CODE(ErrorCode::mismatch, root.track("v", wrong));
  CHECK(wrong.value() == 1);
  CHECK(root.add("v", 0).value() == 5);
  status.assert_consumed();
}

TEST_CASE("restoring is all or nothing", "[graph][restore][test_restore_incompatible_shape]") {
  TempDir dir;
  {
    Variable<float> a{1};
    Variable<float> b{{2}, 1.0F};
    Variable<float> c{{3}, 1.0F};
    Checkpoint{{"a", a}, {"b", b}, {"c", c}}.write(dir / "a.ckpt", quick());
  }
  Variable<float> a{-1};
  Variable<float> b{{4}, -1.0F};
  Variable<double> c{{3}, -1.0};
  Checkpoint checkpoint{{"a", a}, {"b", b}, {"c", c}};
  CKPT_REQUIRE_ERROR(error, ErrorCode::mismatch, checkpoint.restore(dir / "a.ckpt"));
  CHECK(error.details().object == "b");
  CHECK(error.details().expected == "f32 [4]");
  CHECK(error.details().found == "f32 [2]");
  CHECK(contains(error.what(), "c (expected f64 [3], found f32 [3])"));
  CHECK(a.value() == -1);
  CHECK(b.values()[0] == -1);
  CHECK(c.values()[0] == -1);
}

TEST_CASE("a damaged value changes nothing", "[graph][restore][verify]") {
  TempDir dir;
  {
    Variable<float> a{1};
    Variable<float> b{2};
    Checkpoint{{"a", a}, {"b", b}}.write(dir / "a.ckpt", quick());
  }
  const std::uint64_t offset = Reader::open(dir / "a.ckpt").info(1).offset;
  Bytes bytes = read_file(dir / "a.ckpt");
  bytes[offset] ^= std::byte{1};
  write_file(dir / "a.ckpt", bytes);
  Variable<float> a{-1};
  Variable<float> b{-1};
  Checkpoint checkpoint{{"a", a}, {"b", b}};
  for (const Binding binding : {Binding::copy, Binding::view, Binding::copy_on_write}) {
    for (const Verify verify : {Verify::lazy, Verify::full}) {
      CKPT_CHECK_CODE(ErrorCode::corrupt, checkpoint.read(dir / "a.ckpt", {.binding = binding, .verify = verify}));
      CHECK(a.value() == -1);
      CHECK(b.value() == -1);
    }
    Box later;
    Checkpoint empty{later};
    const auto status = empty.read(dir / "a.ckpt", {.binding = binding});
    status.expect_partial();
    CKPT_CHECK_CODE(ErrorCode::corrupt, later.add("b", 0));
    CHECK(later.add("a", 0).value() == 1);
  }
}

TEST_CASE("the last restore wins, in whatever order objects are attached",
          "[graph][restore][testOverlappingRestores]") {
  TempDir dir;
  write_net(dir / "first.ckpt", 1, 10);
  {
    Box net;
    Box layer;
    net.track("layer", layer);
    layer.add("kernel", 2);
    Checkpoint{{"net", net}}.write(dir / "second.ckpt", quick());
  }
  const bool attach_before_second = GENERATE(true, false);
  Box net;
  Checkpoint checkpoint{{"net", net}};
  Box layer;
  auto kernel = layer.add("kernel", 0);
  const auto first = checkpoint.read(dir / "first.ckpt");
  if (attach_before_second) net.track("layer", layer);
  const auto second = checkpoint.read(dir / "second.ckpt");
  if (!attach_before_second) net.track("layer", layer);
  CHECK(kernel.value() == 2);
  second.assert_consumed();
  // A value that only the earlier file has is still applied.
  CHECK(layer.add("bias", 0).value() == 10);
  first.assert_consumed();
}

TEST_CASE("a restore of one part wins over an earlier one of the whole", "[graph][restore][testOverlappingRestores]") {
  TempDir dir;
  write_net(dir / "whole.ckpt", 1, 10);
  write_value(dir / "part.ckpt", 7);
  Box net;
  Box layer;
  Checkpoint whole{{"net", net}};
  const auto whole_status = whole.read(dir / "whole.ckpt");
  auto kernel = layer.add("kernel", 0);
  const auto bias = layer.add("bias", 0);
  Checkpoint part{{"v", kernel}};
  part.read(dir / "part.ckpt").assert_consumed();
  net.track("layer", layer);
  CHECK(kernel.value() == 7);
  CHECK(bias.value() == 10);
  whole_status.assert_consumed();
}

TEST_CASE("one saved object cannot become two", "[graph][restore][testAmbiguousLoad]") {
  TempDir dir;
  {
    Box shared;
    shared.add("v", 1);
    Checkpoint{{"a", shared}, {"b", shared}}.write(dir / "a.ckpt", quick());
  }
  Box a;
  Box b;
  auto va = a.add("v", 0);
  auto vb = b.add("v", 0);
  Checkpoint checkpoint{{"a", a}, {"b", b}};
  const auto status = checkpoint.read(dir / "a.ckpt");
  CHECK(va.value() == 1);
  CHECK(vb.value() == 0);
  CKPT_CHECK_CODE(ErrorCode::mismatch, status.assert_consumed());
  CKPT_CHECK_CODE(ErrorCode::mismatch, status.assert_existing_objects_matched());
  CHECK(status.unmatched_in_program() == Paths{"b/v"});
}

TEST_CASE("two saved objects may become one", "[graph][restore][testObjectsCombined]") {
  TempDir dir;
  {
    Box a;
    Box b;
    a.add("v", 1);
    b.add("v", 2);
    b.add("w", 3);
    Checkpoint{{"a", a}, {"b", b}}.write(dir / "a.ckpt", quick());
  }
  Box shared;
  auto v = shared.add("v", 0);
  auto w = shared.add("w", 0);
  Checkpoint checkpoint{{"a", shared}, {"b", shared}};
  const auto status = checkpoint.read(dir / "a.ckpt");
  status.assert_consumed().assert_existing_objects_matched().assert_nontrivial_match();
  CHECK(v.value() == 1);
  CHECK(w.value() == 3);
}

TEST_CASE("empty containers do not matter", "[graph][restore][testEmptyContainersIgnored]") {
  TempDir dir;
  {
    Variable<float> v{1};
    List<Dense> list;
    Checkpoint{{"v", v}, {"saved", list}}.write(dir / "a.ckpt", quick());
  }
  Variable<float> v{0};
  List<Dense> list;
  Map<Dense> map;
  Checkpoint checkpoint{{"v", v}, {"list", list}, {"map", map}};
  checkpoint.read(dir / "a.ckpt").assert_consumed().assert_existing_objects_matched().assert_nontrivial_match();
}

TEST_CASE("restore also restores the counter; a written file has none", "[graph][restore]") {
  TempDir dir;
  Variable<float> v{1};
  Checkpoint saver{{"v", v}};
  saver.save(dir / "c", quick());
  saver.save(dir / "c", quick());
  saver.write(dir / "w.ckpt", quick());
  {
    Checkpoint checkpoint{{"v", v}};
    checkpoint.restore(dir / "c-2.ckpt").assert_consumed();
    CHECK(checkpoint.save_counter().value() == 2);
    CHECK(checkpoint.save(dir / "c", quick()) == dir / "c-3.ckpt");
  }
  {
    write_value(dir / "plain.ckpt", 3);
    Checkpoint checkpoint{{"v", v}};
    checkpoint.read(dir / "plain.ckpt").assert_consumed();
    CKPT_CHECK_CODE(ErrorCode::mismatch, checkpoint.restore(dir / "plain.ckpt").assert_existing_objects_matched());
  }
}

TEST_CASE("a file of later days is restored in part, and the other way round",
          "[graph][testCheckpointStateChangingVarList]") {
  TempDir dir;
  std::vector<Variable<float>> variables;
  Checkpoint checkpoint;
  for (int i = 0; i < 10; ++i) {
    variables.emplace_back(static_cast<float>(i));
    checkpoint.track("v" + std::to_string(i), variables.back());
    checkpoint.save(dir / "c", quick());
  }
  for (auto& variable : variables) variable = -1.0F;
  checkpoint.restore(dir / "c-6.ckpt").expect_partial();
  CHECK(variables[5].value() == 5);
  CHECK(variables[6].value() == -1);
  checkpoint.restore(dir / "c-10.ckpt").assert_consumed();
  CHECK(variables[9].value() == 9);
}

TEST_CASE("a file without a graph is matched by its paths", "[graph][restore]") {
  TempDir dir;
  {
    Writer writer{dir / "a.ckpt", {.durable = false}};
    const float values[] = {1, 2, 3};
    writer.add<float>("net/l1/kernel", {3}, values);
    writer.add<float>("net/l1/kernel/deeper", {3}, values);
    writer.add<float>("net/l1-b", {3}, values);
    writer.alias("net/tied", "net/l1/kernel");
    writer.commit();
  }
  Box net;
  Box l1;
  Variable<float> tied{{3}};
  net.track("l1", l1);
  net.track("tied", tied);
  Checkpoint checkpoint{{"net", net}};
  const auto status = checkpoint.read(dir / "a.ckpt");
  CHECK(tied.values()[2] == 3);
  CHECK(l1.add_variable<float>("kernel", {3}).values()[0] == 1);
  CHECK(net.add_variable<float>("l1-b", {3}).values()[1] == 2);
  CHECK(status.unmatched_in_file() == Paths{"net/l1/kernel/deeper"});
  status.expect_partial();
}

TEST_CASE("an edge that closes a cycle leads on, whenever it comes", "[graph][restore][testDependencyLoop]") {
  TempDir dir;
  {
    Writer writer{dir / "a.ckpt", {.durable = false}};
    writer.add<float>("a/a/w", {}, std::array{5.0F});
    writer.commit();
  }
  const bool late = GENERATE(false, true);
  CAPTURE(late);
  Box root;
  Checkpoint checkpoint{root};
  const auto w = root.add("w", 1);
  if (!late) root.track("a", root);
  const auto status = checkpoint.read(dir / "a.ckpt");
  if (late) root.track("a", root);
  CHECK(w.value() == 5);
  status.assert_consumed();
}

TEST_CASE("a refused object leaves no edge", "[graph][restore]") {
  TempDir dir;
  write_net(dir / "a.ckpt", 1, 2);
  Box net;
  Checkpoint checkpoint{{"net", net}};
  const auto status = checkpoint.read(dir / "a.ckpt");
  Box layer;
  auto kernel = layer.add_variable<float>("kernel", {3}, 7.0F);
  CKPT_CHECK_CODE(ErrorCode::mismatch, net.track("layer", layer));
  CHECK(kernel.values()[0] == 7);
  checkpoint.write(dir / "b.ckpt", quick());
  CHECK(paths_in(dir / "b.ckpt").empty());
  CHECK(status.pending() == Paths{"net/layer/bias", "net/layer/kernel"});
  status.expect_partial();
}

TEST_CASE("missing files and files that are no checkpoints", "[graph][restore]") {
  TempDir dir;
  Variable<float> v{1};
  Checkpoint checkpoint{{"v", v}};
  CKPT_REQUIRE_ERROR(error, ErrorCode::not_found, checkpoint.restore(dir / "none.ckpt"));
  CHECK(contains(error.what(), "none.ckpt"));
  write_file(dir / "text.ckpt", std::string_view{"hello"});
  CKPT_CHECK_CODE(ErrorCode::corrupt, checkpoint.restore(dir / "text.ckpt"));
  CHECK(v.value() == 1);
}

TEST_CASE("what takes the place of a destroyed object starts afresh, and the status says so",
          "[graph][restore][lifetime]") {
  const bool sibling_waits = GENERATE(false, true);
  TempDir dir;
  write_net(dir / "a.ckpt", 1, 2, sibling_waits);
  Box net;
  Checkpoint checkpoint{{"net", net}};
  std::optional<Box> layer{std::in_place};
  net.track("layer", *layer);
  const auto status = checkpoint.read(dir / "a.ckpt");
  status.expect_partial();
  CHECK(layer->add("kernel", 0).value() == 1);
  layer.reset();
  CKPT_REQUIRE_ERROR(error, ErrorCode::mismatch, status.assert_consumed());
  CHECK(contains(error.what(), "net/layer/bias, net/layer/kernel"));
  layer.emplace();
  net.track("layer", *layer);
  CHECK(layer->add("kernel", 7).value() == 7);
  CHECK(status.unmatched_in_program() == Paths{"net/layer/kernel"});
  // Values that were used once are used, and those that were not are still reported.
  Paths unmatched{"net/layer/bias"};
  if (sibling_waits) unmatched.emplace_back("net/sibling");
  CHECK(status.unmatched_in_file() == unmatched);
  CHECK(status.pending() == (sibling_waits ? Paths{"net/sibling"} : Paths{}));
}

TEST_CASE("a restore after an object was destroyed waits for the next one of its name", "[graph][restore][lifetime]") {
  TempDir dir;
  write_net(dir / "a.ckpt", 1, 2);
  Box net;
  Checkpoint checkpoint{{"net", net}};
  std::optional<Box> layer{std::in_place};
  net.track("layer", *layer);
  layer.reset();
  const auto status = checkpoint.read(dir / "a.ckpt");
  CHECK(status.pending() == Paths{"net/layer/bias", "net/layer/kernel"});
  layer.emplace();
  net.track("layer", *layer);
  CHECK(layer->add("kernel", 7).value() == 1);
  CHECK(layer->add("bias", 7).value() == 2);
  status.assert_consumed();
}
