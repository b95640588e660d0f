// An earlier run is neither overwritten nor rotated away by a program that does not go on from it.
#include "run.hpp"

#include <optional>
#include <string>

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("an earlier run is not overwritten by accident", "[manager]") {
  TempDir dir;
  {
    Run run{dir / "run"};
    run.value = 1.0F;
    run.save();
    run.save();
  }
  {
    Run run{dir / "run"};
    run.value = 2.0F;
    CKPT_REQUIRE_ERROR(error, ErrorCode::already_exists, run.save());
    CHECK(error.details().file == dir / "run/ckpt-1.ckpt");
    CHECK(contains(error.what(), "restore_or_initialize()"));
    CHECK(run.checkpoint.save_counter().value() == 0);
    CHECK(scalar_in(dir / "run/ckpt-1.ckpt", "v") == 1);
    CKPT_CHECK_CODE(ErrorCode::already_exists, run.save(1));
    CHECK(scalar_in(dir / "run/ckpt-1.ckpt", "v") == 1);
  }
  {
    Run run{dir / "run"};
    // A restore of something else does not count.
    Variable<float> v{1};
    Checkpoint{{"v", v}}.save(dir / "elsewhere", quick());
    run.checkpoint.restore(dir / "elsewhere-1.ckpt");
    CKPT_CHECK_CODE(ErrorCode::already_exists, run.save());
    // Going back to an older checkpoint of this directory does.
    run.checkpoint.restore(dir / "run/ckpt-1.ckpt");
    CHECK_NOTHROW(run.save());
    // From then on this is the run that goes on, whatever is restored besides.
    run.checkpoint.restore(dir / "elsewhere-1.ckpt");
    CHECK_NOTHROW(run.save(7));
  }
}

TEST_CASE("an earlier run does not go bit by bit because a program forgot to restore it", "[manager]") {
  TempDir dir;
  {
    Run run{dir.path(), {.max_to_keep = 3}};
    for (int i = 0; i < 23; ++i) run.save();
  }
  const Paths before = names_in(dir.path());
  {
    Run run{dir.path(), {.max_to_keep = 3}};
    CKPT_REQUIRE_ERROR(error, ErrorCode::already_exists, run.save());  // as number 1, which is free
    CHECK(contains(error.what(), "ckpt-21.ckpt"));
    CHECK(contains(error.what(), "restore_or_initialize"));
    for (const int number : {1, 22, 100, 200}) {
      CKPT_CHECK_CODE(ErrorCode::already_exists, run.save(number));
      CKPT_CHECK_CODE(ErrorCode::already_exists, run.manager.save_async({.number = number}));
    }
    CHECK(run.checkpoint.save_counter().value() == 0);
    CHECK(names_in(dir.path()) == before);
  }
  {
    Run run{dir.path(), {.max_to_keep = 3}};
    REQUIRE(run.manager.restore_or_initialize());
    CHECK(run.save(100).deleted == std::vector{dir / "ckpt-21.ckpt"});
  }
  Run run{dir.path(), {.max_to_keep = 3}};
  CKPT_CHECK_CODE(ErrorCode::already_exists, run.save());
  for (const char* name : {"ckpt-22.ckpt", "ckpt-23.ckpt", "ckpt-100.ckpt"}) std::filesystem::remove(dir / name);
  CHECK(run.save().number == 1);
  CHECK(run.save(7).number == 7);
}

TEST_CASE("a file of another name beside an earlier run is none of that run", "[manager]") {
  TempDir dir;
  {
    Run run{dir.path()};
    for (int i = 0; i < 5; ++i) run.save();
    Variable<float> v{9};
    Checkpoint{{"v", v}}.save(dir / "base", quick());
  }
  const Paths before = names_in(dir.path());
  Run run{dir.path()};
  run.checkpoint.restore(dir / "base-1.ckpt");
  CKPT_REQUIRE_ERROR(error, ErrorCode::already_exists, run.save());  // as number 2, which is taken
  CHECK(error.details().file == dir / "ckpt-1.ckpt");
  CKPT_CHECK_CODE(ErrorCode::already_exists, run.manager.save_async());
  CKPT_CHECK_CODE(ErrorCode::already_exists, run.save(100));
  CHECK(names_in(dir.path()) == before);
  CHECK(scalar_in(dir / "ckpt-2.ckpt", "v") == 0);
  run.checkpoint.restore(dir / "ckpt-5.ckpt");
  CHECK(run.save().path == dir / "ckpt-6.ckpt");
}

TEST_CASE("a relative path names the file that was restored, wherever the program goes after that", "[manager]") {
  TempDir dir;
  for (const char* place : {"a", "b"}) {
    Run run{dir / place / "run"};
    run.save();
    run.save();
  }
  const bool own = GENERATE(true, false);
  const std::filesystem::path home = std::filesystem::current_path();
  Run run{dir / (own ? "a" : "b") / "run"};
  std::filesystem::current_path(dir / "a");
  run.checkpoint.restore("run/ckpt-2.ckpt");
  std::filesystem::current_path(dir / "b");
  const std::optional<ErrorCode> refused = code_of([&] { run.save(); });
  std::filesystem::current_path(home);
  CHECK(refused == (own ? std::nullopt : std::optional{ErrorCode::already_exists}));
  CHECK(checkpoints_in(dir / "b/run") == Paths{"ckpt-1.ckpt", "ckpt-2.ckpt"});
}
