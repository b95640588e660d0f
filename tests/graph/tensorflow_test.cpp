// The cases of TensorFlow's checkpoint_test.py that no other test has; each carries its name there. docs/design.md
// lists those that have no meaning here.
#include "objects.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// One stored value for two variables that are kept alike, as on two devices.
class Mirrored : public Trackable {
 public:
  Variable<float> first{0};
  Variable<float> second{0};

 protected:
  void before_save() override { stored_ = first.value(); }
  void after_restore() override {
    first = stored_.value();
    second = stored_.value();
  }

 private:
  Variable<float> stored_ = add_variable<float>("value", {});
};

/// A net whose layers, and their variables, come with the first call.
class Lazy : public Box {
 public:
  void operator()(int depth) {
    if (!inner_ && depth > 0) {
      inner_ = std::make_unique<Lazy>();
      track("inner", *inner_);
    }
    if (!kernel) kernel = add("kernel", static_cast<float>(depth));
    if (inner_) (*inner_)(depth - 1);
  }
  Variable<float> kernel;
  Lazy& inner() { return *inner_; }

 private:
  std::unique_ptr<Lazy> inner_;
};

}  // namespace

TEST_CASE("one stored value is restored into two mirrored variables", "[graph][testMoreComplexSaveableReturned]") {
  TempDir dir;
  const bool in_background = GENERATE(false, true);
  CAPTURE(in_background);
  Mirrored mirrored;
  mirrored.first = 7;
  Checkpoint checkpoint{{"v", mirrored}};
  if (in_background) {
    AsyncSaver saver{checkpoint};
    saver.save(dir / "a", {.save = quick()}).durable();
  } else {
    checkpoint.save(dir / "a", quick());
  }
  mirrored.first = 1;
  checkpoint.restore(dir / "a-1.ckpt").assert_consumed();
  CHECK(mirrored.first.value() == 7);
  CHECK(mirrored.second.value() == 7);
  CHECK(paths_in(dir / "a-1.ckpt") == Paths{"save_counter", "v/value"});
}

TEST_CASE("dtype and shape are what was asked for", "[graph][testShapeDtype]") {
  TempDir dir;
  Box box;
  const auto variable = box.add_variable<double>("v", {2, 3, 4}, 1.0);
  CHECK(variable.dtype() == DType::f64);
  CHECK(variable.shape() == Shape{2, 3, 4});
  Checkpoint{{"box", box}}.write(dir / "a.ckpt", quick());
  const TensorView stored = Reader::open(dir / "a.ckpt").tensor("box/v");
  CHECK(stored.dtype() == DType::f64);
  CHECK(stored.shape() == Shape{2, 3, 4});
}

TEST_CASE("what a status says of a value without an object names it", "[graph][testAttributeException]") {
  TempDir dir;
  Variable<float> v1{1};
  Variable<float> v2{2};
  Checkpoint{{"v1", v1}, {"v2", v2}}.write(dir / "a.ckpt", quick());
  v2 = 0;
  Checkpoint checkpoint{{"v2", v2}};
  const auto status = checkpoint.read(dir / "a.ckpt");
  status.expect_partial();
  CHECK(v2.value() == 2);
  CKPT_REQUIRE_ERROR(error, ErrorCode::mismatch, status.assert_consumed());
  CHECK(error.details().object == "v1");
}

TEST_CASE("names need no escapes, and what would is refused", "[graph][names][testVariableNameEscaping]") {
  TempDir dir;
  const Paths names{"..S", ".ATTRIBUTES",  ".OPTIMIZER_SLOT", "a.b.c", "model.layers.0.q.weight",
                    "v.S", "\u00e9 \u4e2d"};
  Box box;
  for (const std::string& name : names) box.add(name, 3);
  Checkpoint{box}.write(dir / "a.ckpt", quick());
  Paths found = paths_in(dir / "a.ckpt");
  std::ranges::sort(found);
  Paths sorted = names;
  std::ranges::sort(sorted);
  CHECK(found == sorted);
  Box other;
  Checkpoint checkpoint{other};
  const auto status = checkpoint.read(dir / "a.ckpt");
  for (const std::string& name : names) CHECK(other.add(name, 0).value() == 3);
  status.assert_consumed();
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, other.add("a/b", 1));
}

TEST_CASE("a variable that is assigned after the restore gets its value then", "[graph][testRestoreOnAssign]") {
  TempDir dir;
  {
    Variable<float> v{5};
    Variable<float> w{6};
    Checkpoint{{"v", v}, {"w", w}}.write(dir / "a.ckpt", quick());
  }
  Variable<float> v{0};
  Variable<float> w{0};
  Checkpoint checkpoint{{"v", v}};
  checkpoint.read(dir / "a.ckpt");
  CHECK(v.value() == 5);
  CHECK(w.value() == 0);
  checkpoint.track("w", w);
  CHECK(w.value() == 6);
}

TEST_CASE("saving without a manager deletes nothing", "[graph][save][testCheckpointState]") {
  TempDir dir;
  Variable<float> v{0};
  Checkpoint checkpoint{{"v", v}};
  for (int i = 1; i <= 10; ++i) {
    v = static_cast<float>(i);
    checkpoint.save(dir / "deep/ckpt", quick());
  }
  CHECK(names_in(dir / "deep").size() == 10);
  CHECK(scalar_in(dir / "deep/ckpt-1.ckpt", "v") == 1);
  CHECK(scalar_in(dir / "deep/ckpt-10.ckpt", "v") == 10);
}

TEST_CASE("containers that hold nothing do not make a restore incomplete",
          "[graph][containers][test_restore_after_adding_empty_trackable_data_structure]") {
  TempDir dir;
  Variable<float> v{1};
  Checkpoint{{"v", v}}.write(dir / "a.ckpt", quick());
  List<Box> list;
  Map<Box> map;
  Box empty;
  Checkpoint checkpoint{{"v", v}, {"list", list}, {"map", map}, {"empty", empty}};
  list.emplace_back();
  checkpoint.read(dir / "a.ckpt").assert_existing_objects_matched().assert_consumed();
}

TEST_CASE("a second write to a path takes the place of the first",
          "[graph][save][test_write_checkpoint_path_str_from_function][test_save_restore_fspath]") {
  TempDir dir;
  Variable<float> v{1};
  Checkpoint checkpoint{{"v", v}};
  const std::filesystem::path path = dir / "a.ckpt";
  for (const float value : {3.0F, 4.0F}) {
    v = value;
    CHECK(checkpoint.write(path, quick()) == path);
    v = 0;
    checkpoint.read(path).assert_existing_objects_matched().assert_consumed();
    CHECK(v.value() == value);
  }
  CHECK(names_in(dir.path()) == Paths{"a.ckpt"});
}

TEST_CASE("a plain writer does not make directories",
          "[graph][save][test_write_checkpoint_path_tensor_does_not_exist_from_function]") {
  TempDir dir;
  CKPT_CHECK_CODE(ErrorCode::not_found, Writer{dir / "not/there.ckpt"});
}

TEST_CASE("a root object and further children",
          "[graph][test_initialize_with_root_object]"
          "[test_initialize_with_root_object_and_kwargs]") {
  TempDir dir;
  Box root;
  auto v = root.add("v", 1);
  Variable<float> other{2};
  CKPT_REQUIRE_ERROR(error, ErrorCode::already_exists, Checkpoint(root, {{"v", other}}));
  CHECK(error.details().object == "v");
  Checkpoint same{root, {{"v", v}, {"w", other}}};
  CHECK(same.save(dir / "a", quick()) == dir / "a-1.ckpt");
  CHECK(paths_in(dir / "a-1.ckpt") == Paths{"save_counter", "v", "w"});

  // The same file, whether a child belongs to the root or came with the checkpoint.
  const int layout = GENERATE(0, 1, 2);
  CAPTURE(layout);
  Box box;
  Variable<float> a{0};
  Variable<float> b{0};
  std::optional<Checkpoint> checkpoint;
  if (layout == 0) checkpoint.emplace(Checkpoint{{"v", a}, {"w", b}});
  if (layout == 1) box.track("v", a), checkpoint.emplace(Checkpoint{box, {{"w", b}}});
  if (layout == 2) box.track("v", a), box.track("w", b), checkpoint.emplace(Checkpoint{box});
  checkpoint->restore(dir / "a-1.ckpt").assert_consumed();
  CHECK(a.value() == 1);
  CHECK(b.value() == 2);
  CHECK(checkpoint->save_counter().value() == 1);
}

TEST_CASE("an object of several tensors is found by their paths", "[graph][test_keys_and_metadata]") {
  TempDir dir;
  Dense dense;
  dense(3);
  Checkpoint{{"dense", dense}}.write(dir / "a.ckpt", quick());
  const Reader reader = Reader::open(dir / "a.ckpt");
  CHECK(paths_in(dir / "a.ckpt") == Paths{"dense/bias", "dense/kernel"});
  const TensorView kernel = reader.tensor("dense/kernel");
  CHECK(kernel.as<float>()[5] == 1);
  CHECK(reader.graph().nodes[0].edges.front().name == "dense");
}

TEST_CASE("objects that come with the first call are restored level by level",
          "[graph][deferred][test_trackable_save_restore][test_trackable_save_restore_nested]") {
  TempDir dir;
  Lazy net;
  net(3);
  net.inner().inner().kernel = 42;
  Checkpoint{{"net", net}}.write(dir / "a.ckpt", quick());
  Lazy other;
  Checkpoint checkpoint{{"net", other}};
  const auto status = checkpoint.read(dir / "a.ckpt");
  other(3);
  CHECK(other.kernel.value() == 3);
  CHECK(other.inner().inner().kernel.value() == 42);
  status.assert_consumed();
}

TEST_CASE("many saves and restores leave nothing behind", "[graph][testManySavesGraph][testManyRestoresGraph]") {
  TempDir dir;
  Box net;
  Box adam;
  auto w = net.add("w", 1);
  adam.add_slot<float>(w, "m");
  Checkpoint checkpoint{{"net", net}, {"adam", adam}};
  for (int i = 0; i < 100; ++i) {
    checkpoint.write(dir / "a.ckpt", quick());
    checkpoint.read(dir / "a.ckpt").assert_consumed();
  }
  CHECK(mappings_of("a.ckpt") == 0);
}

TEST_CASE("restoring a part of one checkpoint after the other holds the last alone", "[graph][testManyRestoresGraph]") {
  TempDir dir;
  Box net;
  Box adam;
  auto w = net.add("w", 0);
  adam.add_slot<float>(w, "m");
  Checkpoint training{{"net", net}, {"adam", adam}};
  Box model;
  auto weight = model.add("w", 0);
  Checkpoint evaluation{{"net", model}};
  LogCapture log;
  for (int i = 1; i <= 50; ++i) {
    w = static_cast<float>(i);
    const auto path = training.save(dir / "part", quick());
    evaluation.restore(path).expect_partial();
    REQUIRE(weight.value() == static_cast<float>(i));
  }
  CHECK(mappings_of("part-") == 1);
  CHECK(log.warnings.empty());
  // What waits is still there.
  Box late;
  evaluation.track("adam", late);
  CHECK(late.add_slot<float>(weight, "m").value() == 0);
}

TEST_CASE("an earlier restore stays when it has what the later one lacks, or when its status is held",
          "[graph][testOverlappingRestores]") {
  TempDir dir;
  Variable<float> a{1};
  Variable<float> b{2};
  Checkpoint{{"a", a}, {"b", b}}.write(dir / "both.ckpt", quick());
  a = 3;
  Checkpoint{{"a", a}}.write(dir / "one.ckpt", quick());
  Checkpoint checkpoint;
  checkpoint.read(dir / "both.ckpt").expect_partial();
  checkpoint.read(dir / "one.ckpt").expect_partial();
  const auto held = checkpoint.read(dir / "one.ckpt");
  checkpoint.read(dir / "one.ckpt").expect_partial();
  CHECK(mappings_of("both.ckpt") == 1);
  CHECK(mappings_of("one.ckpt") == 2);
  Variable<float> x{0};
  Variable<float> y{0};
  checkpoint.track("a", x);
  checkpoint.track("b", y);
  CHECK(x.value() == 3);
  CHECK(y.value() == 2);
  CHECK(held.unmatched_in_file().empty());
}
