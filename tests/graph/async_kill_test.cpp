// SIGKILL at random moments of a process that saves in the background: the path holds the old checkpoint or the new
// one, whole, and never an older one than the last that was durable. CKPT_TEST_KILLS sets how often, as for tests/io.
#include "saving.hpp"

#include <support/child.hpp>
#include <support/shared.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <iostream>
#include <random>
#include <thread>

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::int64_t kElements = 200'000;

// What the saving process has done.
struct Progress {
  std::atomic<std::int64_t> called{0};
  std::atomic<std::int64_t> durable{0};
};

// Trains and saves until it is killed. All elements are the number of the save, so that a mixture shows.
void train(const std::filesystem::path& path, Progress& progress) {
  Variable<std::int64_t> v{{kElements}};
  Checkpoint checkpoint{{"v", v}};
  AsyncSaver saver{checkpoint, {.max_in_flight = 2}};
  for (std::int64_t number = progress.durable + 1;; ++number) {
    std::ranges::fill(v.mutable_values(), number);
    AsyncSaveOptions options;
    options.save.writer.durable = number % 4 == 0;
    options.mode = kModes[number % 3];
    options.on_durable = [&progress, number](const std::filesystem::path&) { progress.durable = number; };
    progress.called = number;
    saver.write(path, options).staged();
  }
}

std::int64_t load(const std::filesystem::path& path) {
  const TensorView view = Reader::open(path, {.verify = Verify::full}).tensor("v");
  const auto values = view.as<std::int64_t>();
  REQUIRE(std::ranges::count(values, values[0]) == kElements);
  return values[0];
}

}  // namespace

TEST_CASE("SIGKILL during saves in the background leaves old or new", "[graph][async][kill]") {
  const TempDir dir;
  const auto path = dir / "a.ckpt";
  const Shared<Progress> shared;
  Progress& progress = *shared;
  Variable<std::int64_t> v{{kElements}};
  Checkpoint{{"v", v}}.write(path);
  std::mt19937 random{std::random_device{}()};
  const int wanted = kills(150);
  int between = 0;  // kills that met a save on its way
  for (int i = 0; i < wanted; ++i) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        train(path, progress);
      } catch (...) {
        ::_exit(1);
      }
    }
    std::this_thread::sleep_for(std::chrono::microseconds{random() % 20'000});
    ::kill(child, SIGKILL);
    REQUIRE(wait_for(child).signal == SIGKILL);
    const std::int64_t number = load(path);
    INFO("kill " << i << ": " << progress.durable << " <= " << number << " <= " << progress.called);
    REQUIRE(number >= progress.durable);
    REQUIRE(number <= progress.called);
    if (progress.called != progress.durable) ++between;
    progress.durable = number;
    progress.called = number;
    for (const std::string& name : names_in(dir.path())) {
      REQUIRE((name == "a.ckpt" || (name.starts_with(".a.ckpt.") && name.ends_with(".tmp"))));
      if (name != "a.ckpt") std::filesystem::remove(dir / name);
    }
  }
  std::cout << wanted << " kills, " << between << " during a save\n";
  if (wanted >= 100) CHECK(between > 0);
}
