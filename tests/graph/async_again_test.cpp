// Saves in the background one after the other: a saver remembers what it found, and what has changed since is in the
// next file all the same.
#include "saving.hpp"

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

// Asked before each save, and told after each restore.
class Asked : public Box {
 public:
  explicit Asked(float value = 0) : v{add("v", value)} {}
  std::function<void()> on_save;
  std::function<void()> on_restore;
  int times = 0;
  Variable<float> v;

 private:
  void before_save() override {
    ++times;
    if (on_save) on_save();
  }
  void after_restore() override {
    if (on_restore) on_restore();
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
  SECTION("the last lets another thread add a variable to the first") {
    saved.b->on_save = [&, done = false]() mutable {
      if (!std::exchange(done, true)) std::thread{[&] { saved.a->add("new", 7); }}.join();
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

TEST_CASE("an object that destroys another that was asked already", "[graph][async]") {
  Saved saved;
  saved.b->on_save = [&] { saved.a.reset(); };
  const auto save = [&] { saved.checkpoint.write(saved.dir / "sync.ckpt", reproducible()); };
  CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, save());
  CHECK(error.details().object == "a");
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, saved.in_background());
}

TEST_CASE("an object that destroys another after a restore, and saves", "[graph][async]") {
  Saved saved;
  saved.b->on_restore = [&] {
    saved.a.reset();
    CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, saved.in_background());
    CHECK(error.details().object == "a");
  };
  saved.checkpoint.read(saved.dir / "async.ckpt");
  CHECK(saved.a == nullptr);
}

TEST_CASE("an object that saves when it is told of a restore, and is taken back", "[graph][async]") {
  Saved saved;
  Asked c;
  {
    Asked other;
    Checkpoint{{"a", *saved.a}, {"b", *saved.b}, {"c", other}}.write(saved.dir / "more.ckpt", quick());
  }
  saved.checkpoint.read(saved.dir / "more.ckpt").expect_partial();
  c.on_restore = [&] {
    saved.in_background();
    CHECK(saved.has("c/v"));
    throw std::runtime_error{"not now"};
  };
  CHECK_THROWS_AS(saved.checkpoint.track("c", c), std::runtime_error);
  CHECK(saved.again());
  CHECK_FALSE(saved.has("c/v"));
}

TEST_CASE("an object that goes when the log warns of values that wait for theirs", "[graph][async][log]") {
  Saved saved;
  {
    Asked other;
    other.add("more", 0);
    Checkpoint{{"b", other}}.write(saved.dir / "more.ckpt", quick());
  }
  saved.checkpoint.read(saved.dir / "more.ckpt");
  CHECK(saved.again());
  std::vector<Variable<float>> others;  // that may take its memory
  set_log_callback([&](LogLevel, std::string_view) {
    saved.a.reset();
    for (int i = 0; i < 10; ++i) others.emplace_back(99.0F);
  });
  saved.in_background();
  set_log_callback({});
  CHECK(saved.a == nullptr);
  CHECK(saved.scalar("a/v") == 1);
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, saved.in_background());
}

TEST_CASE("an object that saves before a save", "[graph][async]") {
  Saved saved;
  saved.a->on_save = [&, inside = false]() mutable {
    if (std::exchange(inside, true)) return;
    saved.a->add("new", 7);
    saved.in_background();
  };
  CHECK(saved.again());
  CHECK(saved.scalar("a/new") == 7);
}

TEST_CASE("objects that add objects without end before a save", "[graph][async][errors]") {
  Saved saved;
  std::list<Asked> added;
  bool endless = true;
  const std::function<void(Asked&)> grow = [&](Asked& parent) {
    parent.on_save = [&] {
      if (endless) parent.track("next", added.emplace_back());
      if (endless) grow(added.back());
    };
  };
  grow(*saved.b);
  CKPT_CHECK_CODE(ErrorCode::limit, saved.in_background());
  CHECK(added.size() < 1000);
  endless = false;
  CHECK(saved.again());
  CHECK(saved.scalar("b/next/next/v") == 0);
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
