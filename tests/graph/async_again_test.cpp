// Saves in the background one after the other: a saver remembers what it found, and what has changed since is in the
// next file all the same.
#include "saving.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

using namespace ckpt;
using namespace ckpt::test;

namespace {

// Asked before each save.
class Asked : public Box {
 public:
  explicit Asked(float value = 0) : v{add("v", value)} {}
  std::function<void()> on_save;
  int times = 0;
  Variable<float> v;

 private:
  void before_save() override {
    ++times;
    if (on_save) on_save();
  }
};

SaveOptions reproducible() {
  SaveOptions options = quick();
  options.writer.uuid = Uuid{};
  options.writer.created_ns = 0;
  return options;
}

// "a" and "b", and a saver that has saved them.
struct Saved {
  Saved() { again(); }

  void in_background() {
    saver.write(dir / "async.ckpt", {.save = reproducible(), .mode = SaveMode::hand_off}).durable();
  }
  // Saves in the background, then by Checkpoint::write, and says whether the files are the same.
  bool again() {
    in_background();
    checkpoint.write(dir / "sync.ckpt", reproducible());
    return read_file(dir / "async.ckpt") == read_file(dir / "sync.ckpt");
  }
  bool has(std::string_view path) const { return Reader::open(dir / "async.ckpt").contains(path); }
  float scalar(std::string_view path) const { return scalar_in(dir / "async.ckpt", path); }

  TempDir dir;
  std::unique_ptr<Asked> a = std::make_unique<Asked>(1.0F);
  std::unique_ptr<Asked> b = std::make_unique<Asked>(2.0F);
  Checkpoint checkpoint{{"a", *a}, {"b", *b}};
  AsyncSaver saver{checkpoint};
};

}  // namespace

TEST_CASE("new values of the same objects", "[graph][async]") {
  Saved saved;
  saved.a->v = 10;
  CHECK(saved.again());
  CHECK(saved.scalar("a/v") == 10);
  // Memory that has moved: a restore binds a view, or takes memory of its own.
  saved.checkpoint.read(saved.dir / "async.ckpt", {.binding = Binding::view}).assert_consumed();
  CHECK(saved.again());
  CHECK(saved.scalar("a/v") == 10);
}

TEST_CASE("objects that came since the last save", "[graph][async]") {
  Saved saved;
  saved.a->add("later", 3);
  CHECK(saved.again());
  CHECK(saved.scalar("a/later") == 3);
  Box c;
  saved.checkpoint.track("c", c);
  CHECK(saved.again());
  c.add("v", 4);
  CHECK(saved.again());
  CHECK(saved.scalar("c/v") == 4);
  saved.b->add_slot<float>(saved.a->v, "m", 0.5F);
  CHECK(saved.again());
  CHECK(saved.scalar("b/m/a/v") == 0.5F);
}

TEST_CASE("objects that went since the last save", "[graph][async]") {
  Saved saved;
  saved.b.reset();
  for (int i = 0; i < 2; ++i) {
    CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, saved.in_background());
    CHECK(error.details().object == "b");
  }
  Asked other{5};
  saved.checkpoint.track("b", other);
  CHECK(saved.again());
  CHECK(saved.scalar("b/v") == 5);
}

TEST_CASE("objects that were moved since the last save", "[graph][async]") {
  Saved saved;
  Box moved = std::move(static_cast<Box&>(*saved.b));
  saved.b.reset();
  moved.add("w", 6);
  CHECK(saved.again());
  CHECK(saved.scalar("b/v") == 2);
  CHECK(saved.scalar("b/w") == 6);
  // Another object takes its place, and what it was is gone.
  moved = Box{};
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, saved.in_background());
}

TEST_CASE("objects are asked before each save, once, whatever the others do", "[graph][async]") {
  Saved saved;
  saved.a->times = 0;
  SECTION("nothing new") {}
  SECTION("the first adds a variable") {
    saved.a->on_save = [&, done = false]() mutable {
      if (!std::exchange(done, true)) saved.a->add("new", 7);
    };
  }
  SECTION("the last adds an object, which is asked, too") {
    auto c = std::make_shared<Asked>(8.0F);
    saved.b->on_save = [&, c, done = false]() mutable {
      if (!std::exchange(done, true)) saved.b->track("c", *c);
    };
    CHECK(saved.again());
    CHECK(c->times == 2);  // in the background, and in the other save
    CHECK(saved.scalar("b/c/v") == 8);
    return;
  }
  CHECK(saved.again());
  CHECK(saved.a->times == 2);
}

TEST_CASE("an object that destroys another before a save", "[graph][async]") {
  Saved saved;
  saved.a->on_save = [&] { saved.b.reset(); };
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, saved.in_background());
  saved.a->on_save = [] {};
  auto other = std::make_unique<Asked>(9.0F);
  saved.checkpoint.track("b", *other);
  CHECK(saved.again());
  CHECK(saved.scalar("b/v") == 9);
}

TEST_CASE("what an object throws before a save comes through, and the next save is whole", "[graph][async]") {
  Saved saved;
  saved.a->on_save = [&] {
    if (!saved.a->on_save) return;
    saved.a->add("half", 1);
    throw std::runtime_error{"not now"};
  };
  CHECK_THROWS_AS(saved.again(), std::runtime_error);
  saved.a->on_save = nullptr;
  CHECK(saved.again());
  CHECK(saved.has("a/half"));
}
