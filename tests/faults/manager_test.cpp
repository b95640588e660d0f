// Managers on a disk that is full or fails: the door says so, or tells what they ask of the system.
#include "door.hpp"
#include "world.hpp"

#include <ckpt/ckpt.hpp>

#include <catch2/catch.hpp>
#include <support/errors.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>

using namespace ckpt;
using namespace ckpt::test;
using door::Call;

namespace {

constexpr int kSaves = 3;

ManagerOptions keeping(std::optional<int> max_to_keep) {
  return {.max_to_keep = max_to_keep, .keep_best = {{.metric = "loss"}}};
}

// With a loss that becomes better from checkpoint to checkpoint.
void make_run(const std::filesystem::path& dir) {
  Program program{dir, keeping(std::nullopt)};
  for (int i = 1; i <= kSaves; ++i) {
    program.value = i;
    program.manager.save({.writer = {.metrics = {{"loss", 1.0 / i}}}});
  }
}

// How many files `body` maps. It reads some.
template <typename Body>
std::ptrdiff_t files_mapped(const Body& body) {
  const door::Guard guard{{}, true};
  body();
  const auto events = door::events();
  CHECK(std::ranges::count(events, Call::pread, &door::Event::call) > 0);
  return std::ranges::count_if(events,
                               [](const door::Event& event) { return event.call == Call::mmap && event.fd >= 0; });
}

}  // namespace

// On a device that fails, touching a mapping ends the process, for a file that nobody restores.
TEST_CASE("of old checkpoints a manager maps none") {
  const QuietLog quiet;
  const TempDir dir;
  make_run(dir.path());
  SECTION("a start without a list") {
    std::filesystem::remove(dir / "ckpt.state");
    CHECK(files_mapped([&] { const Program program{dir.path(), keeping(1)}; }) == 0);
  }
  SECTION("a save that goes by what is in them") {
    Program program{dir.path(), keeping(1)};
    program.checkpoint.restore(dir / "ckpt-3.ckpt");
    CHECK(files_mapped([&] { CHECK(program.manager.save().deleted.size() == kSaves - 1); }) == 0);
  }
  SECTION("the best") {
    const Program program{dir.path(), keeping(1)};
    CHECK(files_mapped([&] { CHECK(program.manager.best("loss") == dir / "ckpt-3.ckpt"); }) == 0);
  }
  SECTION("a history") {
    CHECK(files_mapped([&] { CHECK(read_history(dir.path()).runs.size() == 1); }) == 0);
  }
  SECTION("a clean-up") {
    CHECK(files_mapped([&] { CHECK(collect_garbage(dir.path()).garbage.empty()); }) == 0);
  }
}

TEST_CASE("a session maps a file to restore from it alone") {
  const TempDir dir;
  Variable<double> value{0};
  Variable<std::int64_t> step{0};
  Checkpoint checkpoint{{"v", value}, {"step", step}};
  SessionOptions options;
  options.handle_signals = false;
  {
    TrainingSession session{checkpoint, step, dir.path(), options};
    REQUIRE(session.next());
    session.report({{"loss", 1}});
    session.save();
  }
  const auto by_manager = files_mapped([&] {
    CheckpointManager manager{checkpoint, dir.path(), {.name = "model"}};
    manager.restore_or_initialize();
  });
  const auto by_session =
      files_mapped([&] { CHECK(TrainingSession{checkpoint, step, dir.path(), options}.restored()); });
  CHECK(by_manager > 0);
  CHECK(by_session == by_manager);
}

TEST_CASE("a save that finds no room is written again when the rules give some, and after no other error") {
  const QuietLog quiet;
  const int error = GENERATE(ENOSPC, EDQUOT, EIO);
  const TempDir dir;
  make_run(dir.path());
  Program program{dir.path(), {.max_to_keep = 1}};
  program.restore();
  const bool full = error != EIO;
  {
    const door::Guard guard{{{.error = error, .kind = Call::pwrite}}};
    CHECK(code_of([&] { program.manager.save(); }) == (full ? std::nullopt : std::optional{ErrorCode::io}));
    CHECK(door::fired(0) == 1);
  }
  program.manager.wait_for_deletions();
  CHECK(std::filesystem::exists(dir / "ckpt-4.ckpt") == full);
  CHECK(std::filesystem::exists(dir / "ckpt-3.ckpt") != full);
  CHECK(std::filesystem::exists(dir / "ckpt-1.ckpt") != full);
}

// Variables may change from *staged* on, which comes before the file is synced.
TEST_CASE("what was handed off is not written twice") {
  const QuietLog quiet;
  const SaveMode mode = GENERATE(SaveMode::copy, SaveMode::overlap, SaveMode::hand_off);
  const TempDir dir;
  make_run(dir.path());
  Program program{dir.path(), {.max_to_keep = 1}};
  program.restore();
  const door::Guard guard{{{.error = ENOSPC, .kind = Call::fsync}}};
  const PendingSave pending = program.manager.save_async({}, mode).pending;
  CHECK(code_of([&] { pending.durable(); }).has_value() == (mode == SaveMode::hand_off));
  CHECK(door::fired(0) == 1);
  CHECK(std::filesystem::exists(dir / "ckpt-1.ckpt") == (mode == SaveMode::hand_off));
}
