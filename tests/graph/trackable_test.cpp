#include "objects.hpp"

#include <memory>
#include <optional>
#include <utility>

using namespace ckpt;
using namespace ckpt::test;

static_assert(!std::is_copy_constructible_v<Box> && !std::is_copy_assignable_v<Box>);
static_assert(std::is_nothrow_move_constructible_v<Box>);

TEST_CASE("names that cannot be part of a path are refused", "[graph][names][testLocalNameValidation]") {
  Box box;
  Variable<float> variable{1};
  const std::string too_long(kMaxPathBytes + 1, 'x');
  for (const std::string& name : {std::string{}, std::string{"."}, std::string{".."}, std::string{"a/b"},
                                  std::string{"a\nb"}, std::string{"a\0b", 3}, std::string{"\xff"}, too_long}) {
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, box.track(name, variable));
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, box.add(name, 1));
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, box.add_slot<float>(variable, name));
  }
  CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, box.track("a\033[31m", variable));
  CHECK(!contains(error.what(), "\033"));
  for (const char* name : {"...", ".hidden", "model.layers.0.q.weight", "\xce\xb2", " ", "save_counter"}) {
    CHECK_NOTHROW(box.add(name, 1));
  }
}

TEST_CASE("a name has one child", "[graph][names][testAddVariable]") {
  Box box;
  Box child;
  Box other;
  box.track("child", child);
  CHECK_NOTHROW(box.track("child", child));
  CKPT_CHECK_CODE(ErrorCode::already_exists, box.track("child", other));
  CKPT_CHECK_CODE(ErrorCode::already_exists, box.add("child", 1));
  box.add("v", 1);
  CKPT_CHECK_CODE(ErrorCode::already_exists, box.add("v", 1));
}

TEST_CASE("an initializer that throws leaves nothing behind", "[graph]") {
  Box box;
  const auto fail = [](std::span<float>) { throw std::runtime_error("no"); };
  CHECK_THROWS_AS(box.add_variable<float>("v", {2}, fail), std::runtime_error);
  CHECK_NOTHROW(box.add("v", 3));
}

TEST_CASE("a moved object keeps its place", "[graph][move]") {
  TempDir dir;
  Box first;
  first.add("v", 5);
  Checkpoint checkpoint{{"box", first}};
  Box second{std::move(first)};
  second.add("w", 6);
  checkpoint.write(dir / "a.ckpt", quick());
  CHECK(paths_in(dir / "a.ckpt") == Paths{"box/v", "box/w"});
  CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, first.add("x", 1));
  CHECK(contains(error.what(), "moved from"));
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, Checkpoint{{"box", first}});
}

TEST_CASE("a moved checkpoint still saves and restores", "[graph][move]") {
  TempDir dir;
  Box box;
  auto v = box.add("v", 5);
  Checkpoint first{{"box", box}};
  Checkpoint second{std::move(first)};
  second.save(dir / "c", quick());
  v = 0.0F;
  second.restore(dir / "c-1.ckpt").assert_consumed();
  CHECK(v.value() == 5);
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, first.save(dir / "d", quick()));
}

TEST_CASE("saving after a child was destroyed names its path", "[graph][lifetime]") {
  TempDir dir;
  Box net;
  auto layer = std::make_unique<Box>();
  layer->add("v", 1);
  net.track("layer", *layer);
  Checkpoint checkpoint{{"net", net}};
  checkpoint.write(dir / "a.ckpt", quick());
  layer.reset();
  CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, checkpoint.write(dir / "b.ckpt", quick()));
  CHECK(error.details().object == "net/layer");
  CHECK(names_in(dir.path()) == Paths{"a.ckpt"});

  Box replacement;
  net.track("layer", replacement);
  CHECK_NOTHROW(checkpoint.write(dir / "b.ckpt", quick()));
}

TEST_CASE("variables live on with the object that tracks them", "[graph][lifetime]") {
  TempDir dir;
  Checkpoint checkpoint;
  {
    Variable<float> v{3};
    checkpoint.track("v", v);
  }
  checkpoint.write(dir / "a.ckpt", quick());
  CHECK(scalar_in(dir / "a.ckpt", "v") == 3);
}

TEST_CASE("lists and maps name their elements", "[graph][containers][test_inititialize_with_data_structures]") {
  TempDir dir;
  List<Dense> layers;
  List<Variable<float>> scales;
  Map<std::unique_ptr<Dense>> heads;
  Checkpoint checkpoint{{"layers", layers}, {"scales", scales}, {"heads", heads}};
  for (int i = 0; i < 11; ++i) layers.emplace_back(2)(1);
  Dense* first = &layers[0];
  layers.emplace_back(3);
  CHECK(first == &layers[0]);
  scales.push_back(Variable<float>{4});
  (*heads.emplace("a", std::make_unique<Dense>()))(1);
  checkpoint.write(dir / "a.ckpt", quick());
  const Reader reader = Reader::open(dir / "a.ckpt");
  CHECK(reader.contains("layers/10/kernel"));
  CHECK(reader.contains("scales/0"));
  CHECK(reader.contains("heads/a/bias"));
  CHECK(reader.size() == 25);
  CHECK(layers.size() == 12);
  CHECK(heads.contains("a"));
  CKPT_CHECK_CODE(ErrorCode::already_exists, heads.emplace("a", std::make_unique<Dense>()));
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, heads.emplace("a/b", std::make_unique<Dense>()));
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, heads.emplace("n", nullptr));
  CHECK(heads.size() == 1);
  CKPT_CHECK_CODE(ErrorCode::not_found, heads.at("z"));
}

TEST_CASE("an element that appears later is restored", "[graph][containers][deferred]") {
  TempDir dir;
  {
    List<Variable<float>> list;
    Map<Variable<float>> map;
    list.push_back(Variable<float>{1});
    list.push_back(Variable<float>{2});
    map.emplace("k", Variable<float>{3});
    Checkpoint{{"list", list}, {"map", map}}.write(dir / "a.ckpt", quick());
  }
  List<Variable<float>> list;
  Map<Variable<float>> map;
  Checkpoint checkpoint{{"list", list}, {"map", map}};
  const auto status = checkpoint.read(dir / "a.ckpt");
  CHECK(status.pending() == Paths{"list/0", "list/1", "map/k"});
  CHECK(list.push_back(Variable<float>{0}).value() == 1);
  CHECK(list.push_back(Variable<float>{0}).value() == 2);
  CHECK(map.emplace("k", 0).value() == 3);
  status.assert_consumed();
  CHECK(status.pending().empty());
}

TEST_CASE("a container moves with its elements", "[graph][containers][move]") {
  TempDir dir;
  List<Dense> layers;
  Checkpoint checkpoint{{"layers", layers}};
  layers.emplace_back(2)(1);
  List<Dense> moved{std::move(layers)};
  checkpoint.write(dir / "a.ckpt", quick());
  CHECK(paths_in(dir / "a.ckpt") == Paths{"layers/0/bias", "layers/0/kernel"});
}

TEST_CASE("a checkpoint of a root object is a child like that object", "[graph][trackable]") {
  TempDir dir;
  Box net;
  net.add("w", 4);
  Checkpoint inner{net};
  Checkpoint{{"inner", inner}}.write(dir / "a.ckpt", quick());
  CHECK(paths_in(dir / "a.ckpt") == Paths{"inner/w"});
  Checkpoint moved = std::move(inner);
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, Checkpoint{{"inner", inner}});
}

TEST_CASE("a checkpoint that cannot be made leaves the root as it was", "[graph][trackable]") {
  Box root;
  Box kept;
  Box x;
  Box other;
  root.track("kept", kept);
  root.track("v", other);
  CKPT_CHECK_CODE(ErrorCode::already_exists, (Checkpoint{root, {{"a", x}, {"kept", kept}, {"v", x}}}));
  CHECK_NOTHROW(Checkpoint{root, {{"a", other}, {"kept", kept}}});
}
