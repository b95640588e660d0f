// Saves that are skipped because too few steps have passed.
#include "run.hpp"

#include <limits>
#include <string>

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// A program that counts steps.
struct Steps {
  explicit Steps(const std::filesystem::path& directory, std::int64_t interval,
                 std::optional<std::int64_t> last = std::nullopt)
      : run{directory, {.step_counter = step, .checkpoint_interval = interval, .last_checkpoint_step = last}} {
    run.checkpoint.track("step", step);
  }

  Variable<std::int64_t> step{0};
  Run run;
};

}  // namespace

TEST_CASE("a save is skipped until enough steps have passed", "[manager][testCheckpointInterval]") {
  TempDir dir;
  Steps program{dir.path(), 2};
  CHECK(program.run.save().path == dir / "ckpt-1.ckpt");

  const SaveResult again = program.run.save();
  CHECK_FALSE(again);
  CHECK(!again.path);
  CHECK(again.skipped == SkipReason::same_step);
  CHECK(contains(again.explanation, "step 0"));

  program.step = 1;
  const SaveResult early = program.run.save();
  CHECK_FALSE(early);
  CHECK(early.skipped == SkipReason::too_early);
  CHECK(contains(early.explanation, "step 1"));
  CHECK(contains(early.explanation, "less than 2 steps"));
  CHECK(program.run.checkpoint.save_counter().value() == 1);

  program.step = 2;
  const SaveResult second = program.run.save();
  CHECK(second);
  CHECK(!second.skipped);
  CHECK(second.path == dir / "ckpt-2.ckpt");

  program.step = 3;
  CHECK_FALSE(program.run.save());
  CHECK(program.run.save({.check_interval = false}).path == dir / "ckpt-3.ckpt");
  // Not twice, whoever asks.
  CHECK(program.run.save({.check_interval = false}).skipped == SkipReason::same_step);
  CHECK(program.run.save(9).skipped == SkipReason::same_step);
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-1.ckpt", "ckpt-2.ckpt", "ckpt-3.ckpt"});
}

TEST_CASE("the step of the last save may be given", "[manager][testCheckpointIntervalWithLastCheckpointStep]") {
  TempDir dir;
  Steps program{dir.path(), 2, 1};
  program.step = 1;
  CHECK_FALSE(program.run.save());
  program.step = 2;
  CHECK_FALSE(program.run.save());
  program.step = 3;
  CHECK(program.run.save());
}

TEST_CASE("a restore is as good as a save", "[manager][testCheckpointIntervalWithRestore]") {
  TempDir dir;
  {
    Steps program{dir.path(), 1};
    program.step = 40;
    CHECK(program.run.save());
  }
  Steps program{dir.path(), 1};
  REQUIRE(program.run.manager.restore_or_initialize());
  CHECK(program.step.value() == 40);
  CHECK(program.run.save().skipped == SkipReason::same_step);
  ++program.step;
  CHECK(program.run.save());
}

TEST_CASE("a save that failed is not a save", "[manager][testCheckpointInterval]") {
  TempDir dir;
  Steps program{dir.path(), 5};
  {
    Box temporary;
    program.run.checkpoint.track("temporary", temporary);
  }
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, program.run.save());
  Box temporary;
  program.run.checkpoint.track("temporary", temporary);
  CHECK(program.run.save());
}

TEST_CASE("the step goes into the file", "[manager][testCheckpointInterval]") {
  TempDir dir;
  Steps program{dir.path(), 1};
  program.step = 17;
  const auto step_in = [](const std::filesystem::path& file) {
    return std::get<std::int64_t>(Reader::open(file).metadata().at("ckpt.step"));
  };
  CHECK(step_in(*program.run.save().path) == 17);
  ++program.step;
  SaveOptions other = quick();
  other.writer.step = 99;
  CHECK(step_in(*program.run.save({.options = other}).path) == 99);
}

TEST_CASE("steps at the end of their range", "[manager][testCheckpointInterval]") {
  TempDir dir;
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  Steps program{dir.path(), most};
  program.step = 5;
  CHECK(program.run.save());
  program.step = most;
  CHECK(program.run.save().skipped == SkipReason::too_early);
  program.step = -5;
  CHECK(program.run.save().skipped == SkipReason::too_early);
}

TEST_CASE("an interval needs a counter", "[manager][testCheckpointInterval]") {
  TempDir dir;
  CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, Run(dir.path(), {.checkpoint_interval = 2}));
  CHECK(contains(error.what(), "step_counter"));
  const Variable<std::int64_t> step{0};
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, Run(dir.path(), {.step_counter = step, .checkpoint_interval = 0}));
}
