// Damaged checkpoints, killed saves and other misfortunes.
#include "run.hpp"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// Checkpoints 1 to `count`, each with its number as value.
void make_run(const std::filesystem::path& directory, int count) {
  Run run{directory, {.max_to_keep = std::nullopt}};
  for (int i = 1; i <= count; ++i) {
    run.value = static_cast<float>(i);
    run.save();
  }
}

}  // namespace

TEST_CASE("variables that the newest checkpoint has no value for are a warning", "[manager][fallback]") {
  TempDir dir;
  {
    Variable<float> old{1};
    Checkpoint checkpoint{{"old", old}};
    CheckpointManager{checkpoint, dir / "run"}.save();
  }
  Variable<float> old{0};
  Variable<float> added{5};
  Checkpoint checkpoint{{"old", old}, {"added", added}};
  CheckpointManager manager{checkpoint, dir / "run"};
  LogCapture log;
  manager.restore_or_initialize();
  CHECK(old.value() == 1);
  CHECK(added.value() == 5);
  const std::string file = (dir / "run" / "ckpt-1.ckpt").string();
  CHECK(log.warnings == Paths{file + ": variables of the program got no value (1): added"});
  log.warnings.clear();
  manager.save();
  manager.restore_or_initialize();
  CHECK(log.warnings.empty());
}

TEST_CASE("a damaged newest checkpoint falls back to the one before, aloud", "[manager][fallback]") {
  TempDir dir;
  make_run(dir.path(), 4);
  damage(dir / "ckpt-4.ckpt");
  write_file(dir / "ckpt-3.ckpt", std::string_view{""});
  LogCapture log;
  Run run{dir.path(), {.max_to_keep = 4}};
  const RestoreResult result = run.manager.restore_or_initialize();
  REQUIRE(result);
  CHECK(result.path == dir / "ckpt-2.ckpt");
  CHECK(run.value.value() == 2);
  REQUIRE(result.skipped.size() == 2);
  CHECK(result.skipped[0].path == dir / "ckpt-4.ckpt");
  CHECK(result.skipped[0].reason.code() == ErrorCode::corrupt);
  CHECK(result.skipped[1].path == dir / "ckpt-3.ckpt");
  REQUIRE(log.warnings.size() == 3);
  CHECK(contains(log.warnings[0], "ckpt-4.ckpt"));
  CHECK(contains(log.warnings[1], "ckpt-3.ckpt"));
  CHECK(contains(log.warnings[2], "ckpt-2.ckpt"));
  // The next save takes the place of a damaged file.
  run.value = 30.0F;
  CHECK(run.save().path == dir / "ckpt-3.ckpt");
  CHECK(scalar_in(dir / "ckpt-3.ckpt", "v") == 30);
  CHECK(run.manager.latest() == dir / "ckpt-3.ckpt");
}

TEST_CASE("damage in a value that no object has yet is found, too", "[manager][fallback][deferred]") {
  TempDir dir;
  make_run(dir.path(), 2);
  damage(dir / "ckpt-2.ckpt");
  Checkpoint later;
  CheckpointManager manager{later, dir.path()};
  CHECK(manager.restore_or_initialize().path == dir / "ckpt-1.ckpt");
  Variable<float> v{0};
  later.track("v", v);
  CHECK(v.value() == 1);
}

TEST_CASE("when no checkpoint is whole, that is an error and not a fresh start", "[manager][fallback]") {
  TempDir dir;
  make_run(dir.path(), 2);
  damage(dir / "ckpt-1.ckpt");
  damage(dir / "ckpt-2.ckpt");
  Run run{dir.path()};
  run.value = 9.0F;
  CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, run.manager.restore_or_initialize());
  CHECK(contains(error.what(), "ckpt-2.ckpt"));
  CHECK(run.value.value() == 9);
  CHECK(checkpoints_in(dir.path()).size() == 2);
}

TEST_CASE("a whole file outside the list is better than none", "[manager][fallback]") {
  TempDir dir;
  make_run(dir.path(), 3);
  std::filesystem::remove(dir / "ckpt.state");
  damage(dir / "ckpt-3.ckpt");
  Run run{dir.path(), {.max_to_keep = 1}};
  CHECK(run.manager.checkpoints() == std::vector{dir / "ckpt-3.ckpt"});
  CHECK(run.manager.restore_or_initialize().path == dir / "ckpt-2.ckpt");
  run.save();
  CHECK(std::filesystem::exists(dir / "ckpt-2.ckpt"));
}

TEST_CASE("restoring takes over the restored file and no other", "[manager][fallback]") {
  TempDir dir;
  make_run(dir.path(), 3);
  {
    Run run{dir / "empty"};
    run.save();
    std::filesystem::copy_file(dir / "empty/ckpt.state", dir / "ckpt.state",
                               std::filesystem::copy_options::overwrite_existing);
  }
  std::filesystem::remove(dir / "ckpt-1.ckpt");  // the one that the list has
  Run run{dir.path(), {.max_to_keep = 1}};
  CHECK(run.manager.checkpoints().empty());
  CHECK(run.manager.restore_or_initialize().path == dir / "ckpt-3.ckpt");
  CHECK(run.manager.checkpoints() == std::vector{dir / "ckpt-3.ckpt"});
  CHECK(run.save().deleted == std::vector{dir / "ckpt-3.ckpt"});
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-2.ckpt", "ckpt-4.ckpt"});
}

TEST_CASE("a program that changed is not a damaged file", "[manager][fallback]") {
  TempDir dir;
  make_run(dir.path(), 2);
  Variable<float> v{{7}, 1.0F};
  Checkpoint checkpoint{{"v", v}};
  CheckpointManager manager{checkpoint, dir.path()};
  CKPT_CHECK_CODE(ErrorCode::mismatch, manager.restore_or_initialize());
  CHECK(v.values()[0] == 1);
}

TEST_CASE("a save killed at any moment leaves a run that resumes", "[manager][kill]") {
  TempDir dir;
  float last = 0;
  for (int round = 0; round < 12; ++round) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      Run run{dir / "run", {.max_to_keep = 3}};
      static_cast<void>(run.manager.restore_or_initialize());
      while (true) {
        run.value += 1.0F;
        run.save();
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{20 + 7 * round});
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));  // it must not have ended by an error of its own

    LogCapture log;
    Run run{dir / "run", {.max_to_keep = 3}};
    CHECK(temporaries_in(dir / "run") == 0);
    const RestoreResult result = run.manager.restore_or_initialize();
    CHECK(result.skipped.empty());
    CHECK(run.value.value() >= last);
    CHECK(run.value.value() == static_cast<float>(run.checkpoint.save_counter().value()));
    last = run.value.value();
    run.value += 1.0F;
    run.save();
    last += 1.0F;
    CHECK(checkpoints_in(dir / "run").size() <= 3);
  }
  CHECK(last >= 12);
}

TEST_CASE("temporary files of dead writers go when a manager comes", "[manager]") {
  TempDir dir;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    Writer writer{dir / "ckpt-1.ckpt", {.durable = false}};
    const float value = 1;
    writer.add<float>("v", {}, std::span{&value, 1});
    ::_exit(0);  // without destructors
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(temporaries_in(dir.path()) == 1);
  Writer living{dir / "other.ckpt", {.durable = false}};
  LogCapture log;
  Run run{dir.path()};
  CHECK(temporaries_in(dir.path()) == 1);  // the living writer's
  CHECK(log.infos.size() == 1);
  living.commit();
  CHECK(checkpoints_in(dir.path()) == Paths{"other.ckpt"});
}

TEST_CASE("a save does not lose restored values that wait for their objects", "[manager][pending]") {
  TempDir dir;
  {
    Variable<float> late{7};
    Checkpoint checkpoint{{"late", late}};
    CheckpointManager{checkpoint, dir.path(), {.save = quick()}}.save();
  }
  Checkpoint checkpoint;
  CheckpointManager manager{checkpoint, dir.path(), {.save = quick()}};
  const RestoreResult result = manager.restore_or_initialize();
  REQUIRE(result);
  CHECK(code_of([&] { manager.save(); }) == ErrorCode::invalid_argument);
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-1.ckpt"});

  SECTION("the object appears") {
    Variable<float> late{0};
    checkpoint.track("late", late);
    CHECK(late.value() == 7);
    CHECK(Reader::open(*manager.save().path).contains("late"));
  }
  SECTION("the program does not want them any more") {
    result.status->expect_partial();
    CHECK_FALSE(Reader::open(*manager.save().path).contains("late"));
  }
}

TEST_CASE("a restore from elsewhere after the manager's own does not stop the saves", "[manager][fallback]") {
  TempDir dir;
  make_run(dir / "run", 2);
  damage(dir / "run/ckpt-2.ckpt");
  Variable<float> pretrained{5};
  Checkpoint{{"v", pretrained}}.save(dir / "pretrained", quick());
  Run run{dir / "run"};
  CHECK(run.manager.restore_or_initialize().path == dir / "run/ckpt-1.ckpt");
  run.checkpoint.restore(dir / "pretrained-1.ckpt");
  CHECK(run.save().path == dir / "run/ckpt-2.ckpt");
  CHECK(scalar_in(dir / "run/ckpt-2.ckpt", "v") == 5);
}

TEST_CASE("a link to the directory leads to the directory", "[manager][pin]") {
  TempDir dir;
  make_run(dir / "run", 2);
  std::filesystem::create_directory_symlink(dir / "run", dir / "link");
  Run run{dir / "run"};
  run.checkpoint.restore(dir / "link/ckpt-1.ckpt");
  run.manager.pin(dir / "link/ckpt-1.ckpt");
  CHECK(std::filesystem::exists(dir / "run/ckpt-1.ckpt.pin"));
  CHECK(run.save().path == dir / "run/ckpt-2.ckpt");
}

TEST_CASE("when all files were removed by hand, that is a fresh start", "[manager][fallback]") {
  TempDir dir;
  int initialised = 0;
  Run run{dir.path(), {.init_fn = [&] { ++initialised; }}};
  for (int i = 0; i < 2; ++i) run.save();
  SECTION("all") {
    for (const char* name : {"ckpt-1.ckpt", "ckpt-2.ckpt"}) std::filesystem::remove(dir / name);
    CHECK_FALSE(run.manager.restore_or_initialize());
    CHECK(initialised == 1);
    CHECK_FALSE(run.manager.latest());
  }
  SECTION("not when one is left, and is damaged") {
    std::filesystem::remove(dir / "ckpt-2.ckpt");
    damage(dir / "ckpt-1.ckpt");
    CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, run.manager.restore_or_initialize());
    CHECK(contains(error.what(), "ckpt-1.ckpt"));
  }
}
