// Which checkpoints stay: the best, every so many steps, a grid of times, pins, and the plan that says why.
#include "clock.hpp"
#include "run.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

SaveResult save_with(Run& run, std::vector<Metric> metrics, std::optional<std::int64_t> step = std::nullopt) {
  SaveOptions options = quick();
  options.writer.metrics = std::move(metrics);
  options.writer.step = step;
  return run.save({.options = options});
}

SaveResult save_loss(Run& run, double loss) { return save_with(run, {{"loss", loss}}); }

std::vector<std::int64_t> numbers_in(const std::filesystem::path& directory) {
  std::vector<std::int64_t> numbers;
  for (const std::string& name : checkpoints_in(directory)) numbers.push_back(std::stoll(name.substr(5)));
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

using Numbers = std::vector<std::int64_t>;

/// "keep" or "remove", and the reasons.
std::string line_of(const CheckpointManager& manager, std::int64_t number) {
  for (const RetentionDecision& decision : manager.retention_plan()) {
    if (decision.number != number) continue;
    std::string line = decision.keep ? "keep" : "remove";
    for (const std::string& reason : decision.reasons) line += "; " + reason;
    return line;
  }
  return "";
}

}  // namespace

TEST_CASE("the best are kept besides the newest", "[manager][retention][best]") {
  TempDir dir;
  const auto [better, kept] =
      GENERATE(table<Better, Numbers>({{Better::lower, {2, 5, 7, 8}}, {Better::higher, {1, 3, 7, 8}}}));
  const ManagerOptions options{.max_to_keep = 2, .keep_best = {{.metric = "loss", .count = 2, .better = better}}};
  const bool restarted = GENERATE(false, true);
  std::optional<Run> run{std::in_place, dir.path(), options};
  for (const double loss : {0.9, 0.2, 0.8, 0.4, 0.3, 0.6, 0.5, 0.7}) {
    if (restarted) {
      run.reset();
      run.emplace(dir.path(), options);
      static_cast<void>(run->manager.restore_or_initialize());
    }
    save_loss(*run, loss);
  }
  CHECK(numbers_in(dir.path()) == kept);
  CHECK(run->manager.checkpoints().size() == 4);
  CHECK(run->manager.best("loss", better) ==
        dir / ("ckpt-" + std::to_string(better == Better::lower ? 2 : 1) + ".ckpt"));
  CHECK(!run->manager.best("accuracy"));
}

TEST_CASE("what is no number, or no metric, is never the best; of equals the newer is", "[manager][retention][best]") {
  TempDir dir;
  Run run{dir.path(), {.max_to_keep = 1, .keep_best = {{.metric = "loss"}}}};
  save_loss(run, std::numeric_limits<double>::quiet_NaN());
  run.save();
  CHECK(!run.manager.best("loss"));
  save_loss(run, 0.5);
  run.save();
  CHECK(numbers_in(dir.path()) == Numbers{3, 4});
  save_loss(run, 0.5);
  run.save();
  CHECK(numbers_in(dir.path()) == Numbers{5, 6});
  save_loss(run, -std::numeric_limits<double>::infinity());
  save_loss(run, 0.1);
  CHECK(numbers_in(dir.path()) == Numbers{7, 8});
}

TEST_CASE("several rules keep what any of them wants", "[manager][retention]") {
  TempDir dir;
  Clock clock;
  Run run{dir.path(),
          {.max_to_keep = 1,
           .keep_every_n_hours = 4,
           .keep_every_n_steps = 1000,
           .keep_best = {{.metric = "loss"}, {.metric = "accuracy", .better = Better::higher}},
           .clock = clock.function()}};
  // Number i is of hour i and step 300 * i; the best loss is that of 2, the best accuracy that of 3.
  for (int i = 1; i <= 8; ++i) {
    clock.set_hours(i);
    save_with(run, {{"loss", i == 2 ? 0.0 : 1.0}, {"accuracy", i == 3 ? 1.0 : 0.0}}, 300 * i);
  }
  CHECK(numbers_in(dir.path()) == Numbers{2, 3, 4, 7, 8});
  CHECK(contains(line_of(run.manager, 2), "keep; best 1 of 1 by loss (0)"));
  CHECK(contains(line_of(run.manager, 3), "keep; best 1 of 1 by accuracy (1)"));
  CHECK(contains(line_of(run.manager, 4), "keep; left the list before, and is kept for ever"));
  CHECK(contains(line_of(run.manager, 4), "the first at or after step 1000 (keep_every_n_steps)"));
  CHECK(contains(line_of(run.manager, 7), "keep; the first at or after step 2000"));
  CHECK(contains(line_of(run.manager, 8), "keep; among the newest 1 (max_to_keep)"));
  CHECK(run.manager.checkpoints().size() == 4);
}

TEST_CASE("steps by the multiple, whether or not one is hit", "[manager][retention][steps]") {
  TempDir dir;
  Run run{dir.path(), {.max_to_keep = 1, .keep_every_n_steps = 10}};
  for (const std::int64_t step : {0, 5, 10, 15, 20, 27, 34, 41, 48, 48}) save_with(run, {}, step);
  run.save();  // without a step
  run.save();
  CHECK(numbers_in(dir.path()) == Numbers{3, 5, 7, 8, 12});
}

TEST_CASE("a grid of times does not drift", "[manager][retention][grid]") {
  TempDir dir;
  Clock clock;
  const ManagerOptions options{.max_to_keep = 1, .keep_time_grid_hours = 6, .clock = clock.function()};
  std::optional<Run> run{std::in_place, dir.path(), options};
  // Every 2.5 hours: the first of each quarter of a day are of hours 2.5, 7.5, 12.5, 20, 25, 30.
  for (int i = 1; i <= 13; ++i) {
    clock.set_hours(2.5 * i);
    if (i == 7) {
      run.reset();
      run.emplace(dir.path(), options);
      REQUIRE(run->manager.restore_or_initialize());
    }
    run->save();
  }
  CHECK(numbers_in(dir.path()) == Numbers{1, 3, 5, 8, 10, 12, 13});
  CHECK(contains(line_of(run->manager, 8), "the first of its period of 6 hours (keep_time_grid_hours)"));
}

TEST_CASE("a clock that goes back costs nothing that the grid kept", "[manager][retention][grid]") {
  TempDir dir;
  Clock clock;
  const ManagerOptions options{.max_to_keep = 1, .keep_time_grid_hours = 1, .clock = clock.function()};
  {
    Run run{dir.path(), options};
    for (int i = 1; i <= 4; ++i) {
      clock.set_hours(10 + i);
      run.save();
    }
  }
  clock.set_hours(5);
  Run run{dir.path(), options};
  REQUIRE(run.manager.restore_or_initialize());
  run.save();
  run.save();
  run.save();
  CHECK(numbers_in(dir.path()) == Numbers{1, 2, 3, 4, 5, 7});
}

TEST_CASE("a number that is used again keeps its place among the steps", "[manager][retention][steps]") {
  TempDir dir;
  Variable<std::int64_t> step{0};
  Run run{dir.path(), {.max_to_keep = 1, .keep_every_n_steps = 10, .step_counter = step}};
  const auto save = [&](std::int64_t number) {
    step = number;
    run.save(number);
  };
  for (const int number : {10, 11}) save(number);
  run.checkpoint.restore(dir / "ckpt-10.ckpt");  // back to there, and on again
  for (const int number : {10, 12}) save(number);
  CHECK(numbers_in(dir.path()) == Numbers{10, 12});
  CHECK(contains(line_of(run.manager, 10), "the first at or after step 10 (keep_every_n_steps)"));
}

TEST_CASE("the grid goes by times and not by the order of the list", "[manager][retention][grid]") {
  TempDir dir;
  Clock clock;
  Run run{dir.path(), {.max_to_keep = 1, .keep_time_grid_hours = 1, .clock = clock.function()}};
  const auto save = [&](std::int64_t number, double hours) {
    SaveOptions options = quick();
    options.writer.created_ns = static_cast<std::int64_t>(hours * 3600e9);
    run.save({.number = number, .options = options});
  };
  save(1, 10.25);
  save(2, 10.5);
  save(1, 10.25);  // the same again, now behind 2
  save(3, 11);
  CHECK(numbers_in(dir.path()) == Numbers{1, 3});
  CHECK(contains(line_of(run.manager, 1), "the first of its period of 1 hours (keep_time_grid_hours)"));
}

TEST_CASE("a pin keeps a checkpoint, over restarts and without a state", "[manager][retention][pin]") {
  TempDir dir;
  {
    Run run{dir / "run", {.max_to_keep = 2}};
    run.save();
    run.save();
    run.manager.pin(1);
    run.manager.pin(*run.manager.latest());
    CHECK(contains(line_of(run.manager, 1), "pinned"));
    for (int i = 0; i < 3; ++i) run.save();
    CHECK(numbers_in(dir / "run") == Numbers{1, 2, 4, 5});
  }
  SECTION("restarted") {}
  SECTION("the state is lost") { std::filesystem::remove(dir / "run/ckpt.state"); }
  Run run{dir / "run", {.max_to_keep = 2, .adopt = true}};
  REQUIRE(run.manager.restore_or_initialize());
  run.save();
  CHECK(numbers_in(dir / "run") == Numbers{1, 2, 5, 6});
  run.manager.unpin(1);
  run.manager.unpin("ckpt-2.ckpt");
  run.manager.unpin(77);  // no harm
  CHECK(contains(line_of(run.manager, 1), "remove; no rule wants it"));
  CHECK(numbers_in(dir / "run") == Numbers{1, 2, 5, 6});
  run.save();
  CHECK(numbers_in(dir / "run") == Numbers{6, 7});
}

TEST_CASE("a pin set from outside counts", "[manager][retention][pin]") {
  TempDir dir;
  Run run{dir.path(), {.max_to_keep = 1}};
  run.save();
  write_file(dir / "ckpt-1.ckpt.pin", std::string_view{""});
  run.save();
  run.save();
  CHECK(numbers_in(dir.path()) == Numbers{1, 3});
}

TEST_CASE("only checkpoints of this manager can be pinned", "[manager][retention][pin]") {
  TempDir dir;
  Run run{dir / "run"};
  run.save();
  write_file(dir / "ckpt-1.ckpt", std::string_view{"another"});
  CKPT_CHECK_CODE(ErrorCode::not_found, run.manager.pin(2));
  for (const std::filesystem::path& path : {dir / "ckpt-1.ckpt", dir / "run/other-1.ckpt", dir / "run/ckpt.state",
                                            std::filesystem::path{"../ckpt-1.ckpt"}, std::filesystem::path{}}) {
    CAPTURE(path);
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, run.manager.pin(path));
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, run.manager.unpin(path));
  }
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, run.manager.pin(-1));
  CHECK_NOTHROW(run.manager.pin(dir / "run/../run/ckpt-1.ckpt"));
  CHECK(names_in(dir / "run") == Paths{".ckpt.lock", "ckpt-1.ckpt", "ckpt-1.ckpt.pin", "ckpt.state"});
}

TEST_CASE("a dry run says what a save would remove, and removes nothing", "[manager][retention][plan]") {
  TempDir dir;
  {
    Run run{dir.path(), {.max_to_keep = std::nullopt}};
    CHECK(run.manager.retention_plan().empty());
    for (const double loss : {0.3, 0.1, 0.2, 0.4}) save_loss(run, loss);
    CHECK(line_of(run.manager, 1) == "keep; all are kept (max_to_keep is not set)");
  }
  Run run{dir.path(), {.max_to_keep = 1, .keep_best = {{.metric = "loss"}}}};
  const auto plan = run.manager.retention_plan();
  REQUIRE(plan.size() == 4);
  CHECK(plan[0].file == dir / "ckpt-1.ckpt");
  CHECK(plan[0].number == 1);
  CHECK_FALSE(plan[0].keep);
  CHECK(plan[1].keep);
  CHECK_FALSE(plan[2].keep);
  CHECK(plan[3].keep);
  for (const RetentionDecision& decision : plan) CHECK(!decision.reasons.empty());
  CHECK(numbers_in(dir.path()).size() == 4);
  REQUIRE(run.manager.restore_or_initialize());
  // The same, and the one that is not among the newest any more.
  CHECK(save_loss(run, 0.5).deleted == std::vector{dir / "ckpt-1.ckpt", dir / "ckpt-3.ckpt", dir / "ckpt-4.ckpt"});
  CHECK(numbers_in(dir.path()) == Numbers{2, 5});
}

TEST_CASE("what cannot be judged is kept", "[manager][retention][best]") {
  TempDir dir;
  {
    Run run{dir.path(), {.max_to_keep = std::nullopt}};
    for (int i = 1; i <= 3; ++i) save_loss(run, i);
  }
  const Bytes whole = read_file(dir / "ckpt-1.ckpt");
  write_file(dir / "ckpt-1.ckpt", std::string_view{"damaged"});
  Run run{dir.path(), {.max_to_keep = 1, .keep_best = {{.metric = "loss"}}}};
  REQUIRE(run.manager.restore_or_initialize());
  CHECK(contains(line_of(run.manager, 1), "keep; the rules cannot judge it"));
  save_loss(run, 9);
  CHECK(numbers_in(dir.path()) == Numbers{1, 2, 4});
  // It can be read again: the best of all.
  write_file(dir / "ckpt-1.ckpt", whole);
  save_loss(run, 9);
  CHECK(numbers_in(dir.path()) == Numbers{1, 5});
}

TEST_CASE("a run whose state was lost finds its best again", "[manager][retention][state]") {
  TempDir dir;
  const ManagerOptions options{.max_to_keep = 2, .keep_best = {{.metric = "loss"}}};
  {
    Run run{dir.path(), options};
    for (const double loss : {0.1, 0.5, 0.4, 0.3}) save_loss(run, loss);
    CHECK(numbers_in(dir.path()) == Numbers{1, 3, 4});
  }
  std::filesystem::remove(dir / "ckpt.state");
  LogCapture log;
  ManagerOptions adopting = options;
  adopting.adopt = true;
  Run run{dir.path(), adopting};
  REQUIRE(log.warnings.size() == 1);
  CHECK(contains(log.warnings[0], "numbers 1 to 4"));
  CHECK(run.manager.best("loss") == dir / "ckpt-1.ckpt");
  REQUIRE(run.manager.restore_or_initialize());
  save_loss(run, 0.2);
  CHECK(numbers_in(dir.path()) == Numbers{1, 4, 5});
}

TEST_CASE("files of another run are adopted when that is asked for", "[manager][retention][adopt]") {
  TempDir dir;
  const auto save_at = [](Run& run, int number, std::int64_t seconds) {
    SaveOptions options = quick();
    options.writer.created_ns = seconds * 1'000'000'000;
    run.save({.number = number, .options = options});
  };
  {
    Run run{dir.path(), {.max_to_keep = std::nullopt}};
    for (const int number : {1, 2, 3}) save_at(run, number, 100 * number);
  }
  std::filesystem::remove(dir / "ckpt.state");
  {
    Clock clock;
    *clock.now = 250;
    Run run{dir.path(), {.max_to_keep = 1, .clock = clock.function()}};
    CHECK(run.manager.checkpoints() == std::vector{dir / "ckpt-3.ckpt"});
    run.manager.restore_or_initialize();
    save_at(run, 3, 250);
    CHECK(numbers_in(dir.path()) == Numbers{1, 2, 3});
  }
  write_file(dir / "ckpt-9.ckpt", std::string_view{"no checkpoint"});
  {
    Run run{dir.path(), {.max_to_keep = 2}};
    CHECK(run.manager.checkpoints() == std::vector{dir / "ckpt-3.ckpt"});
  }
  LogCapture log;
  Run run{dir.path(), {.max_to_keep = 2, .adopt = true}};
  CHECK(run.manager.checkpoints() == std::vector{dir / "ckpt-1.ckpt", dir / "ckpt-2.ckpt", dir / "ckpt-3.ckpt"});
  REQUIRE(log.infos.size() == 1);
  CHECK(contains(log.infos[0], "adopted 2 checkpoints"));
  REQUIRE(log.warnings.size() == 1);
  CHECK(contains(log.warnings[0], "ckpt-9.ckpt"));
  CHECK(numbers_in(dir.path()) == Numbers{1, 2, 3, 9});
  run.manager.restore_or_initialize();
  run.save(4);
  CHECK(numbers_in(dir.path()) == Numbers{3, 4, 9});
}

TEST_CASE("rules that make no sense are refused", "[manager][retention]") {
  TempDir dir;
  ManagerOptions steps;
  steps.keep_every_n_steps = 0;
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, Run(dir.path(), steps));
  ManagerOptions count;
  count.keep_best = {{.metric = "loss", .count = 0}};
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, Run(dir.path(), count));
  ManagerOptions metric;
  metric.keep_best = {{.metric = ""}};
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, Run(dir.path(), metric));
  ManagerOptions many;
  many.keep_best.assign(1000, {.metric = "loss"});
  {
    Run run{dir.path(), many};
  }
  many.keep_best.push_back({.metric = "loss"});
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, Run(dir.path(), many));
}
