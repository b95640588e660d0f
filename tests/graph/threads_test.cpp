// Threads that restore from one file, wait for one save, use objects of their own beside a saver, and change the log
// callback, as the public headers allow it.
#include "saving.hpp"

#include <support/together.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::int64_t kCount = 50'000;

struct Model : Box {
  explicit Model(float value) : w{add_variable<float>("w", {kCount}, value)} {}
  Variable<float> w;
};

bool holds(const Variable<float>& variable, float value) {
  return std::ranges::count(variable.values(), value) == kCount;
}

}  // namespace

TEST_CASE("threads restore objects of their own from one file, and read one variable", "[graph][threads]") {
  TempDir dir;
  Model model{1.5F};
  Checkpoint{{"model", model}}.write(dir / "a.ckpt", quick());
  Model shared{0};
  Checkpoint viewing{{"model", shared}};
  viewing.read(dir / "a.ckpt", {.binding = Binding::view});
  constexpr std::array kBindings{Binding::copy, Binding::view, Binding::copy_on_write};
  const std::string wrong = together(6, [&](std::size_t i) -> std::string {
    const ReadMode mode = i % 2 == 0 ? ReadMode::mmap : ReadMode::read;
    for (int round = 0; round < 10; ++round) {
      Model own{0};
      Checkpoint checkpoint{{"model", own}};
      checkpoint.read(dir / "a.ckpt", {.binding = kBindings[i % 3], .mode = mode}).assert_consumed();
      if (!holds(own.w, 1.5F)) return "another value";
      if (!own.w.read_only()) own.w.mutable_values()[0] = static_cast<float>(i);  // nobody else sees it
      if (!holds(shared.w, 1.5F)) return "the shared variable has changed";
    }
    return {};
  });
  CHECK(wrong == "");
}

TEST_CASE("any thread may wait for a save, also when the saver is gone", "[graph][async][threads]") {
  TempDir dir;
  Model model{2.5F};
  Checkpoint checkpoint{{"model", model}};
  std::optional<AsyncSaver> saver{std::in_place, checkpoint, AsyncOptions{.max_in_flight = 2}};
  for (const SaveMode mode : kModes) {
    const PendingSave good = saver->write(dir / "a.ckpt", quick(mode));
    AsyncSaveOptions failing = quick(mode);
    failing.on_durable = [](const std::filesystem::path&) { throw std::runtime_error("told by all"); };
    const PendingSave bad = saver->write(dir / "b.ckpt", failing);
    const std::string wrong = together(6, [&](std::size_t i) -> std::string {
      if (i == 0 && mode == kModes[2]) saver.reset();
      const PendingSave copy = good;
      copy.staged();
      if (copy.durable() != dir / "a.ckpt" || !copy.is_staged() || !copy.is_done()) return "not done";
      try {
        bad.durable();
      } catch (const std::runtime_error& error) {
        return error.what() == std::string_view{"told by all"} ? "" : error.what();
      }
      return "no error";
    });
    CHECK(wrong == "");
  }
  CHECK(Reader::open(dir / "a.ckpt").verify().ok());
}

TEST_CASE("a saver asks each object once, whatever other threads do to theirs", "[graph][async][threads]") {
  struct Asked : Box {
    void before_save() override { ++times; }
    Variable<float> v = add("v", 1);
    int times = 0;
  };
  const auto come_and_go = [](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      Box{}.add("v", 1);
      std::this_thread::sleep_for(std::chrono::microseconds{20});
    }
  };
  const std::jthread one{come_and_go};
  const std::jthread two{come_and_go};
  TempDir dir;
  List<Asked> objects;
  for (int i = 0; i < 20'000; ++i) objects.emplace_back();
  Checkpoint checkpoint{{"objects", objects}};
  AsyncSaver saver{checkpoint};
  for (int saves = 1; saves <= 4; ++saves) {
    saver.write(dir / "a.ckpt", quick(SaveMode::hand_off)).durable();
    CHECK(std::ranges::all_of(objects, [&](const Asked& object) { return object.times == saves; }));
  }
  CHECK(Reader::open(dir / "a.ckpt").verify().ok());
}

TEST_CASE("the log callback is changed while messages come", "[graph][log][threads]") {
  TempDir dir;
  Model model{1};
  Checkpoint{{"model", model}}.write(dir / "a.ckpt", quick());
  std::atomic<int> inside = 0;
  std::atomic<int> messages = 0;
  std::atomic<bool> at_once = false;
  const auto callback = [&](LogLevel, std::string_view) {
    if (++inside != 1) at_once = true;
    ++messages;
    --inside;
  };
  set_log_callback(callback);
  const std::string wrong = together(5, [&](std::size_t i) -> std::string {
    for (int round = 0; round < 200; ++round) {
      if (i == 0) {
        round % 2 == 0 ? set_log_callback({}) : set_log_callback(callback);
      } else {
        Box other;
        Checkpoint checkpoint{{"other", other}};
        checkpoint.read(dir / "a.ckpt");  // a message that values are not used
      }
    }
    return {};
  });
  Box other;
  {
    Checkpoint checkpoint{{"other", other}};
    checkpoint.read(dir / "a.ckpt");
  }
  set_log_callback({});
  CHECK(wrong == "");
  CHECK(messages > 0);
  CHECK_FALSE(at_once);
}
