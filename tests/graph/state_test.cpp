// Objects that keep their state in a form of their own, text, and bytes.
#include "objects.hpp"

#include <support/file_image.hpp>

#include <random>
#include <sstream>
#include <stdexcept>
#include <thread>

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// A random generator of the standard library.
class Generator : public Trackable {
 public:
  explicit Generator(unsigned seed) : engine_{seed}, text_{add_variable<std::string>("engine")} {}
  std::uint64_t operator()() { return engine_(); }
  int restored = 0;

 protected:
  void before_save() override {
    std::ostringstream out;
    out << engine_;
    text_ = out.str();
  }
  void after_restore() override {
    ++restored;
    std::istringstream in{text_.value()};
    in >> engine_;
    if (!in) throw std::runtime_error("bad state of a generator");
  }

 private:
  std::mt19937_64 engine_;
  Variable<std::string> text_;
};

}  // namespace

TEST_CASE("text and bytes of any length are variables", "[graph][state]") {
  TempDir dir;
  {
    Variable<std::string> config{std::string{"lr = 0.1\nname = \u00e9"}};
    Variable<Bytes> blob{Bytes{std::byte{0}, std::byte{255}}};
    Variable<std::string> empty{std::string{}};
    Checkpoint{{"config", config}, {"blob", blob}, {"empty", empty}}.write(dir / "a.ckpt", quick());
  }
  const auto binding = GENERATE(Binding::copy, Binding::view, Binding::copy_on_write);
  Variable<std::string> config{std::string{"short"}};
  Variable<Bytes> blob{Bytes(100)};
  Box late;
  Checkpoint checkpoint{late, {{"config", config}, {"blob", blob}}};
  const auto status = checkpoint.read(dir / "a.ckpt", {.binding = binding});
  CHECK(config.value() == "lr = 0.1\nname = \u00e9");
  CHECK(blob.value() == Bytes{std::byte{0}, std::byte{255}});
  CHECK(late.add_variable<std::string>("empty", "not this").value().empty());
  status.assert_consumed();
  CHECK(config.dtype() == DType::string);
  CHECK(blob.dtype() == DType::bytes);
  config = "something longer than what was in the file before, and writable whatever it was bound to";
  checkpoint.write(dir / "b.ckpt", quick());
  CHECK(Reader::open(dir / "b.ckpt").tensor("config").strings().front() == config.value());
  CHECK(Reader::open(dir / "b.ckpt").verify().ok());
}

TEST_CASE("what is wrong with text", "[graph][state]") {
  TempDir dir;
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, Variable<std::string>{std::string{"\xff"}});
  Variable<std::string> text{std::string{"a"}};
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, text.set("\xc0\xaf"));
  CHECK(text.value() == "a");
  CKPT_CHECK_CODE(ErrorCode::mismatch, Variable<Bytes>{AnyVariable{text}});
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, Variable<std::string>{}.value());
  Variable<Bytes> bytes{Bytes{}};
  Checkpoint{{"v", text}}.write(dir / "a.ckpt", quick());
  Checkpoint other{{"v", bytes}};
  CKPT_CHECK_CODE(ErrorCode::mismatch, other.read(dir / "a.ckpt"));
  Checkpoint checkpoint{{"v", text}};
  checkpoint.write(dir / "a.ckpt", quick());
  FileImage image{dir / "a.ckpt"};
  const std::size_t record = image.tensor(image.find("v"));
  image.set<std::uint8_t>(image.get<std::uint64_t>(record + at::kBlobOffset) + 16, 0xff);
  image.seal_all();
  image.store(dir / "bad.ckpt");
  CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, checkpoint.read(dir / "bad.ckpt"));
  CHECK(error.details().object == "v");
  CHECK(error.details().file == dir / "bad.ckpt");
  CHECK(text.value() == "a");
}

TEST_CASE("an object writes its state before a save and reads it after a restore", "[graph][state]") {
  TempDir dir;
  Generator generator{1};
  for (int i = 0; i < 1000; ++i) generator();
  Checkpoint checkpoint{{"random", generator}};
  checkpoint.save(dir / "a", quick());
  const std::uint64_t expected = generator();

  SECTION("restored in place") {
    CHECK(generator() != expected);
    checkpoint.restore(dir / "a-1.ckpt").assert_consumed();
    CHECK(generator.restored == 1);
    CHECK(generator() == expected);
  }
  SECTION("tracked after the restore") {
    Generator other{2};
    Checkpoint fresh;
    const auto status = fresh.restore(dir / "a-1.ckpt");
    CHECK(other.restored == 0);
    fresh.track("random", other);
    CHECK(other.restored == 1);
    CHECK(other() == expected);
    status.assert_consumed();
  }
  SECTION("moved in between") {
    Generator moved{std::move(generator)};
    CHECK(moved.restored == 0);
    checkpoint.restore(dir / "a-1.ckpt");
    CHECK(moved.restored == 1);
    CHECK(moved() == expected);
  }
  SECTION("not called for a file that has nothing for it") {
    Variable<float> v{1};
    Checkpoint{{"v", v}}.write(dir / "b.ckpt", quick());
    checkpoint.read(dir / "b.ckpt").expect_partial();
    CHECK(generator.restored == 0);
  }
}

TEST_CASE("a part that a save creates is saved with the rest", "[graph][state]") {
  class Growing : public Box {
   public:
    Growing() = default;

   protected:
    void before_save() override {
      const std::string name = std::to_string(++saves_);
      track(name, parts_.emplace_back(std::make_unique<Generator>(static_cast<unsigned>(saves_))).operator*());
    }

   private:
    int saves_ = 0;
    std::vector<std::unique_ptr<Generator>> parts_;
  };
  TempDir dir;
  Growing growing;
  Checkpoint checkpoint{{"g", growing}};
  checkpoint.write(dir / "a.ckpt", quick());
  CHECK(paths_in(dir / "a.ckpt") == Paths{"g/1/engine"});
  const std::string text = Reader::open(dir / "a.ckpt").tensor("g/1/engine").strings().front();
  CHECK(text.size() > 1000);  // its own before_save was called, too
}

TEST_CASE("an object that cannot tell its state ends the save before anything is written", "[graph][state]") {
  class Broken : public Box {
   protected:
    void before_save() override { throw std::runtime_error("no"); }
  };
  TempDir dir;
  Variable<float> v{1};
  Broken broken;
  Checkpoint{{"v", v}}.write(dir / "a.ckpt", quick());
  const Bytes before = read_file(dir / "a.ckpt");
  Checkpoint checkpoint{{"v", v}, {"broken", broken}};
  CHECK_THROWS_AS(checkpoint.write(dir / "a.ckpt", quick()), std::runtime_error);
  CHECK(read_file(dir / "a.ckpt") == before);
  CHECK(names_in(dir.path()) == Paths{"a.ckpt"});
}

TEST_CASE("a slot may have a shape of its own", "[graph][slots]") {
  TempDir dir;
  Box net;
  Box adafactor;
  auto w = net.add_variable<float>("w", {4, 3});
  auto row = adafactor.add_slot<float>(w, "row", {4}, 2.0F);
  Checkpoint checkpoint{{"net", net}, {"opt", adafactor}};
  checkpoint.write(dir / "a.ckpt", quick());
  row.mutable_values()[3] = 0;
  checkpoint.read(dir / "a.ckpt").assert_consumed();
  CHECK(row.values()[3] == 2);
  CHECK(adafactor.add_slot<float>(w, "row", Shape{4}).same_as(row));
  CKPT_CHECK_CODE(ErrorCode::mismatch, adafactor.add_slot<float>(w, "row"));
}

TEST_CASE("text has no shape", "[graph][state]") {
  Box box;
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, box.add_variable("s", DType::string, Shape{3}));
  CHECK(box.add_variable("s", DType::string, Shape{}).dtype() == DType::string);
}

TEST_CASE("a hook may add variables on another thread", "[graph][state]") {
  class Delegating : public Box {
   protected:
    void before_save() override {
      if (added_) return;
      std::thread{[this] { add("late", 1); }}.join();
      added_ = true;
    }

   private:
    bool added_ = false;
  };
  TempDir dir;
  Delegating box;
  Checkpoint{{"box", box}}.write(dir / "a.ckpt", quick());
  CHECK(paths_in(dir / "a.ckpt") == Paths{"box/late"});
}

TEST_CASE("all objects are told of a restore, whatever one of them throws", "[graph][state]") {
  class Told : public Box {
   public:
    explicit Told(bool fails) : fails_{fails} { add("v", 0); }
    int calls = 0;

   protected:
    void after_restore() override {
      ++calls;
      if (fails_) throw std::runtime_error{"told " + std::to_string(calls)};
    }

   private:
    bool fails_;
  };
  TempDir dir;
  Told a{true};
  Told b{true};
  Told c{false};
  Checkpoint checkpoint{{"a", a}, {"b", b}, {"c", c}};
  checkpoint.save(dir / "c", quick());
  b.calls = 1;
  CHECK_THROWS_WITH(checkpoint.restore(dir / "c-1.ckpt"), "told 1");  // the first
  CHECK(a.calls == 1);
  CHECK(b.calls == 2);
  CHECK(c.calls == 1);
}

TEST_CASE("an object that refused what it was given leaves it to the next", "[graph][state][deferred]") {
  class Once : public Box {
   public:
    explicit Once(bool fails) : fails_{fails} { v = add("v", 0); }
    Variable<float> v;

   protected:
    void after_restore() override {
      if (fails_) throw std::runtime_error{"no"};
    }

   private:
    bool fails_;
  };
  TempDir dir;
  {
    List<Once> list;
    list.emplace_back(false).v = 5;
    Checkpoint{{"list", list}}.write(dir / "a.ckpt", quick());
  }
  List<Once> list;
  Checkpoint checkpoint{{"list", list}};
  const auto status = checkpoint.read(dir / "a.ckpt");
  CHECK_THROWS_AS(list.emplace_back(true), std::runtime_error);
  CHECK(list.empty());
  CHECK(status.pending() == Paths{"list/0/v"});
  CHECK(list.emplace_back(false).v.value() == 5);
  status.assert_consumed();
}

TEST_CASE("a variable that is tracked late is a restore of its object, too", "[graph][state][deferred]") {
  class Watching : public Box {
   public:
    Watching() = default;
    int calls = 0;
    bool fails = false;

   protected:
    void after_restore() override {
      ++calls;
      if (fails) throw std::runtime_error("no");
    }
  };
  TempDir dir;
  {
    Variable<float> v{2};
    Box box;
    box.track("v", v);
    Checkpoint{{"box", box}}.write(dir / "a.ckpt", quick());
  }
  Watching box;
  Variable<float> v{0};
  Checkpoint checkpoint{{"box", box}};
  const auto status = checkpoint.read(dir / "a.ckpt");
  box.fails = true;
  CHECK_THROWS_AS(box.track("v", v), std::runtime_error);
  CHECK(v.value() == 2);
  checkpoint.write(dir / "b.ckpt", quick());
  CHECK(paths_in(dir / "b.ckpt").empty());  // it is not tracked
  box.fails = false;
  Variable<float> w{0};
  box.track("v", w);
  CHECK(box.calls == 1);  // the first variable, which lives, has the value
  status.expect_partial();
}
