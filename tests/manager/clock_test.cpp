// keep_every_n_hours, and clocks that misbehave.
#include "clock.hpp"

#include "run.hpp"

#include <limits>
#include <optional>
#include <string>

using namespace ckpt;
using namespace ckpt::test;

namespace {

std::string state_in(const std::filesystem::path& directory) {
  const Bytes bytes = read_file(directory / "ckpt.state");
  const std::string text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  return text.substr(0, text.find("checksum "));
}

ManagerOptions hourly(const Clock& clock, int keep, std::optional<double> hours) {
  return {.max_to_keep = keep, .keep_every_n_hours = hours, .clock = clock.function()};
}

Paths shown(const CheckpointManager& manager) {
  Paths names;
  for (const auto& path : manager.checkpoints()) names.push_back(path.filename());
  return names;
}

}  // namespace

TEST_CASE("one every so many hours is kept for ever, out of the list", "[manager][golden-A]") {
  TempDir dir;
  const Clock clock;
  const bool restarted = GENERATE(false, true);
  CAPTURE(restarted);
  std::optional<Run> run{std::in_place, dir.path(), hourly(clock, 2, 1.5)};
  // Checkpoint i is of hour i / 2.
  for (int i = 1; i <= 14; ++i) {
    clock.set_hours(0.5 * i);
    if (restarted && i > 1) {
      run.reset();
      run.emplace(dir.path(), hourly(clock, 2, 1.5));
      REQUIRE(run->manager.restore_or_initialize());
    }
    run->save();
  }
  CHECK(checkpoints_in(dir.path()) ==
        Paths{"ckpt-12.ckpt", "ckpt-13.ckpt", "ckpt-14.ckpt", "ckpt-3.ckpt", "ckpt-6.ckpt", "ckpt-9.ckpt"});
  CHECK(shown(run->manager) == Paths{"ckpt-13.ckpt", "ckpt-14.ckpt"});
  CHECK(run->manager.latest() == dir / "ckpt-14.ckpt");
}

TEST_CASE("times and the last one preserved survive restarts", "[manager][testSaveRestoreState]") {
  TempDir dir;
  Clock clock;
  *clock.now = 3;
  {
    Run run{dir.path(), hourly(clock, 2, std::nullopt)};
    *clock.now = 10000;
    run.save();
    *clock.now += 3610;
    run.save();
    CHECK(state_in(dir.path()) ==
          "ckpt-state 1\nlatest ckpt-2.ckpt\nlast_preserved 2\nrule max_to_keep 2\nactive 10000 ckpt-1.ckpt\nactive "
          "13610 ckpt-2.ckpt\n");
    CHECK(shown(run.manager) == Paths{"ckpt-1.ckpt", "ckpt-2.ckpt"});
  }
  {
    Run run{dir.path(), hourly(clock, 2, 1.5)};
    REQUIRE(run.manager.restore_or_initialize());
    CHECK(shown(run.manager) == Paths{"ckpt-1.ckpt", "ckpt-2.ckpt"});
    CHECK(run.manager.latest() == dir / "ckpt-2.ckpt");
    *clock.now += 0.2 * 3600;
    run.save();
    CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-1.ckpt", "ckpt-2.ckpt", "ckpt-3.ckpt"});
    CHECK(shown(run.manager) == Paths{"ckpt-2.ckpt", "ckpt-3.ckpt"});
    CHECK(contains(state_in(dir.path()), "last_preserved 10000\n"));
    *clock.now += 0.5 * 3600;
    run.save();
    CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-1.ckpt", "ckpt-3.ckpt", "ckpt-4.ckpt"});
    *clock.now += 0.5 * 3600;
    run.save();
    CHECK(shown(run.manager) == Paths{"ckpt-4.ckpt", "ckpt-5.ckpt"});
    CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-1.ckpt", "ckpt-4.ckpt", "ckpt-5.ckpt"});
    CHECK(contains(state_in(dir.path()), "last_preserved 10000\n"));
  }
  Run run{dir.path(), hourly(clock, 2, 1.5)};
  CHECK(run.manager.latest() == dir / "ckpt-5.ckpt");
  REQUIRE(run.manager.restore_or_initialize());
  *clock.now += 10;
  run.save();
  CHECK(shown(run.manager) == Paths{"ckpt-5.ckpt", "ckpt-6.ckpt"});
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-1.ckpt", "ckpt-4.ckpt", "ckpt-5.ckpt", "ckpt-6.ckpt"});
  CHECK(contains(state_in(dir.path()), "last_preserved 16130\n"));
  CHECK(contains(state_in(dir.path()), "preserved 10000 ckpt-1.ckpt\n"));
}

TEST_CASE("a clock that went back removes nothing", "[manager][testClockReset]") {
  TempDir dir;
  Clock clock;
  *clock.now = 10000;
  {
    Run run{dir.path(), hourly(clock, 1, 1)};
    for (int i = 0; i < 3; ++i) {
      *clock.now += 3600;
      run.save();
    }
    CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-1.ckpt", "ckpt-2.ckpt", "ckpt-3.ckpt"});
    CHECK(shown(run.manager) == Paths{"ckpt-3.ckpt"});
  }
  *clock.now = 5000;
  LogCapture log;
  Run run{dir.path(), hourly(clock, 1, 1)};
  REQUIRE(log.warnings.size() == 1);
  CHECK(contains(log.warnings[0], "12200"));  // behind the 17200 of the second
  CHECK(shown(run.manager).empty());
  CHECK(run.manager.latest() == dir / "ckpt-3.ckpt");
  CHECK(run.manager.restore_or_initialize().path == dir / "ckpt-3.ckpt");
  run.save();
  run.save();
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-1.ckpt", "ckpt-2.ckpt", "ckpt-3.ckpt", "ckpt-5.ckpt"});
  CHECK(shown(run.manager) == Paths{"ckpt-5.ckpt"});
  CHECK(contains(state_in(dir.path()), "last_preserved 5000\n"));
  CHECK(contains(state_in(dir.path()), "active 5000 ckpt-5.ckpt\n"));
}

TEST_CASE("times that lie ahead count as now", "[manager][clock]") {
  TempDir dir;
  Clock clock;
  *clock.now = 100;
  {
    Run run{dir.path(), hourly(clock, 3, std::nullopt)};
    *clock.now = 9000;
    run.save();
  }
  *clock.now = 200;  // behind that save, and not behind the 99 of the start
  LogCapture log;
  Run run{dir.path(), hourly(clock, 3, std::nullopt)};
  CHECK(log.warnings.empty());
  CHECK(shown(run.manager) == Paths{"ckpt-1.ckpt"});
  run.manager.restore_or_initialize();
  run.save(7);
  CHECK(contains(state_in(dir.path()), "last_preserved 99\n"));
  CHECK(contains(state_in(dir.path()), "\nactive 200 ckpt-1.ckpt\nactive 200 ckpt-7.ckpt\n"));
}

TEST_CASE("an age of exactly the time preserved last is out of the list", "[manager][clock]") {
  TempDir dir;
  Clock clock;
  *clock.now = 100;
  {
    Run run{dir.path(), hourly(clock, 3, std::nullopt)};
    *clock.now = 99;
    run.save();
    *clock.now = 99.5;
    run.save();
  }
  *clock.now = 150;
  Run run{dir.path(), hourly(clock, 3, std::nullopt)};
  CHECK(shown(run.manager) == Paths{"ckpt-2.ckpt"});
}

TEST_CASE("a clock that gives no number removes nothing by age", "[manager][clock]") {
  TempDir dir;
  Clock clock;
  *clock.now = std::numeric_limits<double>::quiet_NaN();
  {
    Run run{dir.path(), hourly(clock, 2, 1)};
    run.save();
    run.save();
  }
  LogCapture log;
  Run run{dir.path(), hourly(clock, 2, 1)};
  CHECK(log.warnings.empty());
  CHECK(run.manager.latest() == dir / "ckpt-2.ckpt");
}

TEST_CASE("hours go on when the state was lost", "[manager][clock][state]") {
  TempDir dir;
  const Clock clock;
  clock.set_hours(1e6);
  {
    Run run{dir.path(), {.max_to_keep = std::nullopt, .clock = clock.function()}};
    for (int i = 0; i < 4; ++i) run.save();
  }
  std::filesystem::remove(dir / "ckpt.state");
  Run run{dir.path(), hourly(clock, 2, 1)};  // with the times in the files: all the same
  REQUIRE(run.manager.restore_or_initialize());
  CHECK(shown(run.manager) == Paths{"ckpt-3.ckpt", "ckpt-4.ckpt"});
  run.save();
  run.save();
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-1.ckpt", "ckpt-2.ckpt", "ckpt-5.ckpt", "ckpt-6.ckpt"});
}

TEST_CASE("hours go on when the state was lost and all files are adopted", "[manager][clock][adopt]") {
  TempDir dir;
  const Clock clock;
  {
    Run run{dir.path(), {.max_to_keep = std::nullopt, .clock = clock.function()}};
    for (int i = 1; i <= 4; ++i) {
      clock.set_hours(i);
      run.save();
    }
  }
  std::filesystem::remove(dir / "ckpt.state");
  clock.set_hours(5);
  ManagerOptions options = hourly(clock, 1, 2);
  options.adopt = true;
  Run run{dir.path(), options};
  CHECK(shown(run.manager).size() == 4);
  REQUIRE(run.manager.restore_or_initialize());
  run.save();
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-3.ckpt", "ckpt-5.ckpt"});
}

TEST_CASE("hours that make no sense are refused", "[manager][clock]") {
  TempDir dir;
  for (const double hours : {0.0, -1.0, std::numeric_limits<double>::infinity()}) {
    ManagerOptions every;
    every.keep_every_n_hours = hours;
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, Run(dir.path(), every));
    ManagerOptions grid;
    grid.keep_time_grid_hours = hours;
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, Run(dir.path(), grid));
  }
}
