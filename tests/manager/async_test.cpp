// A manager that saves in the background.
#include "run.hpp"

#include <support/child.hpp>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr SaveMode kModes[] = {SaveMode::copy, SaveMode::overlap, SaveMode::hand_off};

std::vector<std::filesystem::path> files(const std::filesystem::path& directory, std::vector<int> numbers) {
  std::vector<std::filesystem::path> paths;
  for (const int number : numbers) paths.push_back(directory / ("ckpt-" + std::to_string(number) + ".ckpt"));
  return paths;
}

/// The saves of a program, in one of the two ways.
struct Twin {
  explicit Twin(const std::filesystem::path& directory, bool in_background)
      : in_background_{in_background},
        run{directory,
            {.max_to_keep = 2,
             .keep_every_n_steps = 40,
             .keep_best = {{.metric = "loss"}},
             .step_counter = step,
             .clock = [this] { return 1.7e9 + static_cast<double>(step.value()); },
             .async = {.max_in_flight = 3}}} {
    run.checkpoint.track("step", step);
  }

  void save(std::optional<std::int64_t> number = std::nullopt) {
    step += 7;
    run.value = static_cast<float>(step.value());
    SaveOptions options = quick();
    options.writer.uuid = Uuid{};
    options.writer.metrics = {{"loss", static_cast<double>(step.value() * 37 % 100)}};
    if (in_background_) {
      CHECK(run.manager.save_async({.number = number, .options = options}));
    } else {
      CHECK(run.manager.save({.number = number, .options = options}));
    }
  }

 private:
  bool in_background_;

 public:
  Variable<std::int64_t> step{0};
  Run run;
};

}  // namespace

TEST_CASE("saves in the background leave what the others leave", "[manager][async]") {
  TempDir dir;
  Twin sync{dir / "sync", false};
  Twin async{dir / "async", true};
  for (Twin* twin : {&sync, &async}) {
    for (int i = 0; i < 20; ++i) twin->save();
    twin->save(3);
    twin->save(50);
    twin->run.manager.wait_for_saves();
    twin->run.manager.wait_for_deletions();
  }
  const Paths names = names_in(dir / "sync");
  CHECK(names_in(dir / "async") == names);
  for (const std::string& name : names) {
    INFO(name);
    const bool same = read_file(dir / "sync" / name) == read_file(dir / "async" / name);
    CHECK((same || name == "ckpt.state"));
  }
  const auto names_of = [](const std::vector<std::filesystem::path>& paths) {
    Paths result;
    for (const auto& path : paths) result.push_back(path.filename());
    return result;
  };
  CHECK(names_of(async.run.manager.checkpoints()) == names_of(sync.run.manager.checkpoints()));
  CHECK(async.run.manager.latest() == dir / "async/ckpt-50.ckpt");
  CHECK(async.run.manager.best("loss")->filename() == sync.run.manager.best("loss")->filename());
  CHECK(async.run.checkpoint.save_counter().value() == sync.run.checkpoint.save_counter().value());
}

TEST_CASE("a save in the background is listed when it is durable", "[manager][async]") {
  TempDir dir;
  Run run{dir.path(), {.max_to_keep = 1, .async = {.check_changes = true}}};
  run.save();
  // With check_changes this one does not begin before somebody asks for it.
  const AsyncSaveResult saved = run.manager.save_async({}, SaveMode::overlap);
  REQUIRE(saved);
  CHECK(saved.path == dir / "ckpt-2.ckpt");
  CHECK(saved.pending.path() == dir / "ckpt-2.ckpt");
  CHECK(saved.number == 2);
  CHECK(run.checkpoint.save_counter().value() == 2);
  CHECK(run.manager.latest() == dir / "ckpt-1.ckpt");
  CHECK(run.manager.checkpoints() == files(dir.path(), {1}));
  CHECK(latest_checkpoint(dir.path()) == dir / "ckpt-1.ckpt");
  CHECK(run.manager.retention_plan().size() == 1);
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-1.ckpt"});
  saved.pending.durable();
  CHECK(run.manager.latest() == dir / "ckpt-2.ckpt");
  CHECK(run.manager.checkpoints() == files(dir.path(), {2}));
  CHECK(latest_checkpoint(dir.path()) == dir / "ckpt-2.ckpt");
  run.manager.wait_for_deletions();
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-2.ckpt"});
}

TEST_CASE("a change after a save in the background does not reach its file", "[manager][async]") {
  TempDir dir;
  Run run{dir.path(), {.max_to_keep = std::nullopt, .async = {.max_in_flight = 4}}};
  for (int i = 1; i <= 12; ++i) {
    run.value = static_cast<float>(i);
    run.manager.save_async({}, kModes[i % 3]).pending.staged();
    run.value = -1.0F;
  }
  run.manager.wait_for_saves();
  for (int i = 1; i <= 12; ++i) {
    CHECK(scalar_in(dir / ("ckpt-" + std::to_string(i) + ".ckpt"), "v") == static_cast<float>(i));
  }
}

TEST_CASE("many saves in the background in a row", "[manager][async]") {
  TempDir dir;
  {
    Run run{dir.path(), {.max_to_keep = 3, .async = {.max_in_flight = 5}}};
    for (int i = 1; i <= 60; ++i) {
      run.value = static_cast<float>(i);
      REQUIRE(run.manager.save_async());
      CHECK(run.manager.checkpoints().size() <= 3);
      if (const auto latest = run.manager.latest()) CHECK(std::filesystem::exists(*latest));
    }
  }
  // The destructor has waited for all of it.
  CHECK(names_in(dir.path()) == Paths{".ckpt.lock", "ckpt-58.ckpt", "ckpt-59.ckpt", "ckpt-60.ckpt", "ckpt.state"});
  Run next{dir.path(), {.max_to_keep = 3}};
  CHECK(next.manager.checkpoints() == files(dir.path(), {58, 59, 60}));
  CHECK(next.manager.restore_or_initialize().path == dir / "ckpt-60.ckpt");
  CHECK(next.value.value() == 60);
  CHECK(next.manager.save_async().pending.durable() == dir / "ckpt-61.ckpt");
  CHECK(next.manager.checkpoints() == files(dir.path(), {59, 60, 61}));
}

TEST_CASE("the same numbers again and again while saves are in flight", "[manager][async]") {
  TempDir dir;
  Run run{dir.path(), {.max_to_keep = 1, .async = {.max_in_flight = 8}}};
  for (int i = 0; i < 60; ++i) {
    run.value = static_cast<float>(i);
    REQUIRE(run.manager.save_async({.number = 5 + i % 3}));
  }
  run.manager.wait_for_saves();
  run.manager.wait_for_deletions();
  CHECK(run.manager.checkpoints() == files(dir.path(), {7}));
  CHECK(scalar_in(dir / "ckpt-7.ckpt", "v") == 59);
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-7.ckpt"});
}

TEST_CASE("a number of one's own, on its way, may be used by the next save", "[manager][async]") {
  TempDir dir;
  Run run{dir.path(), {.async = {.max_in_flight = 2}}};
  run.manager.save_async({.number = 2});
  CHECK(run.manager.save_async().number == 2);
  run.manager.wait_for_saves();
  CHECK(run.manager.checkpoints() == files(dir.path(), {2}));
}

TEST_CASE("a save on its way counts for the interval", "[manager][async][interval]") {
  TempDir dir;
  Variable<std::int64_t> step{0};
  Run run{dir.path(), {.step_counter = step, .checkpoint_interval = 10, .async = {.check_changes = true}}};
  const AsyncSaveResult first = run.manager.save_async({}, SaveMode::overlap);
  REQUIRE(first);
  const AsyncSaveResult same = run.manager.save_async();
  CHECK_FALSE(same);
  CHECK_FALSE(same.pending);
  CHECK(same.skipped == SkipReason::same_step);
  CHECK_FALSE(first.pending.is_done());
  step = 9;
  const AsyncSaveResult early = run.manager.save_async();
  CHECK(early.skipped == SkipReason::too_early);
  CHECK(contains(early.explanation, "less than 10 steps"));
  CHECK(run.manager.save().skipped == SkipReason::too_early);
  CHECK(run.checkpoint.save_counter().value() == 1);
  first.pending.durable();
  CHECK_FALSE(run.manager.save_async());
  step = 10;
  const AsyncSaveResult second = run.manager.save_async();
  REQUIRE(second);
  second.pending.durable();
  CHECK(Reader::open(*second.path).metadata().at("ckpt.step") == MetadataValue{std::int64_t{10}});
  step = 11;
  CHECK(run.manager.save_async({.check_interval = false}));
}

TEST_CASE("a save in the background that fails is not listed, and may be tried again", "[manager][async][interval]") {
  TempDir dir;
  Variable<std::int64_t> step{0};
  Run run{dir.path(), {.step_counter = step, .checkpoint_interval = 10}};
  run.manager.save_async().pending.durable();
  run.manager.restore_or_initialize();
  step = 10;
  std::filesystem::create_directory(dir / "ckpt-7.ckpt");
  const AsyncSaveResult failing = run.manager.save_async({.number = 7});
  REQUIRE(failing);
  CHECK_THROWS_AS(failing.pending.durable(), Error);
  CHECK_THROWS_AS(failing.pending.durable(), Error);
  CHECK(run.manager.latest() == dir / "ckpt-1.ckpt");
  CHECK(run.manager.checkpoints() == files(dir.path(), {1}));
  CHECK(run.checkpoint.save_counter().value() == 2);
  step = 11;
  CHECK(run.manager.save_async({.number = 3}).pending.durable() == dir / "ckpt-3.ckpt");
  CHECK(run.manager.checkpoints() == files(dir.path(), {1, 3}));
}

TEST_CASE("an error that nobody asked for comes with the next save", "[manager][async]") {
  TempDir dir;
  LogCapture log;
  {
    Run run{dir.path()};
    run.manager.save();
    run.manager.restore_or_initialize();
    std::filesystem::create_directory(dir / "ckpt-7.ckpt");
    SECTION("in the background") {
      run.manager.save_async({.number = 7});
      CHECK_THROWS_AS(run.manager.save_async(), Error);
      CHECK(run.checkpoint.save_counter().value() == 2);
      CHECK(run.manager.save_async().number == 3);
    }
    SECTION("or not") {
      run.manager.save_async({.number = 7});
      CHECK_THROWS_AS(run.manager.save(), Error);
      CHECK(run.manager.save().number == 3);
    }
    SECTION("or whoever waits") {
      run.manager.save_async({.number = 7});
      CHECK_THROWS_AS(run.manager.wait_for_saves(), Error);
      CHECK_NOTHROW(run.manager.wait_for_saves());
      CHECK(run.manager.save_async().number == 3);
    }
    SECTION("but not with a restore") {
      run.manager.save_async({.number = 7});
      run.manager.wait_for_deletions();
      std::filesystem::remove(dir / "ckpt-7.ckpt");
      CHECK(run.manager.restore_or_initialize().path == dir / "ckpt-1.ckpt");
      CHECK_THROWS_AS(run.manager.save_async(), Error);
      CHECK(run.manager.save_async().number == 2);
    }
    CHECK(log.warnings.empty());
    run.manager.save_async({.number = 8}).pending.durable();
    run.manager.wait_for_deletions();
    std::filesystem::create_directory(dir / "ckpt-9.ckpt");
    run.manager.save_async({.number = 9});
  }
  REQUIRE(log.warnings.size() == 1);
  CHECK(contains(log.warnings.front(), "nobody asked"));
  CHECK(latest_checkpoint(dir.path()) == dir / "ckpt-8.ckpt");
}

TEST_CASE("a save that throws changes nothing", "[manager][async]") {
  TempDir dir;
  {
    Run run{dir.path()};
    run.save();
  }
  Run run{dir.path()};
  CKPT_CHECK_CODE(ErrorCode::already_exists, run.manager.save_async());
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, run.manager.save_async({.number = -1}));
  CHECK(run.checkpoint.save_counter().value() == 0);
  CHECK(run.manager.checkpoints() == files(dir.path(), {1}));
  Run small{dir / "small", {.async = {.max_staging_bytes = 1}}};
  CKPT_CHECK_CODE(ErrorCode::limit, small.manager.save_async());
  CHECK(small.checkpoint.save_counter().value() == 0);
  CHECK(small.manager.save().number == 1);
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, Run(dir / "bad", {.async = {.max_in_flight = 0}}));
}

TEST_CASE("other calls come after the saves that are in flight", "[manager][async]") {
  TempDir dir;
  Run run{dir.path(), {.max_to_keep = 2, .async = {.max_in_flight = 3, .check_changes = true}}};
  const auto begin = [&] {
    run.value += 1.0F;
    return run.manager.save_async({}, SaveMode::copy);
  };
  begin();
  begin();
  CHECK(run.save().number == 3);
  CHECK(run.manager.checkpoints() == files(dir.path(), {2, 3}));
  begin();
  begin();
  run.value = 0.0F;
  CHECK(run.manager.restore_or_initialize().path == dir / "ckpt-5.ckpt");
  CHECK(run.value.value() == 4);
  const AsyncSaveResult pinned = begin();
  run.manager.pin(pinned.number);
  CHECK(pinned.pending.is_done());
  for (int i = 0; i < 5; ++i) begin();
  run.manager.wait_for_deletions();
  CHECK(run.manager.checkpoints() == files(dir.path(), {6, 10, 11}));
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-10.ckpt", "ckpt-11.ckpt", "ckpt-6.ckpt"});
  run.manager.unpin(6);
  begin().pending.durable();
  CHECK(run.manager.checkpoints() == files(dir.path(), {11, 12}));
}

TEST_CASE("init_fn may save, in both ways", "[manager][async]") {
  TempDir dir;
  CheckpointManager* manager = nullptr;
  const auto init = [&] {
    manager->save_async({.options = quick()});
    manager->save();
    CHECK(manager->latest() == dir / "ckpt-2.ckpt");
    manager->save_async();
  };
  Run run{dir.path(), {.init_fn = init}};
  manager = &run.manager;
  CHECK_FALSE(run.manager.restore_or_initialize());
  run.manager.wait_for_saves();
  CHECK(run.manager.checkpoints().size() == 3);
}

TEST_CASE("a manager may be moved while it saves", "[manager][async]") {
  TempDir dir;
  Run run{dir / "a", {.async = {.max_in_flight = 3}}};
  Run other{dir / "b", {.async = {.max_in_flight = 3}}};
  for (int i = 0; i < 3; ++i) run.manager.save_async();
  for (int i = 0; i < 3; ++i) other.manager.save_async();
  CheckpointManager moved = std::move(run.manager);
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, run.manager.save());
  moved.save_async();
  moved = std::move(other.manager);  // waits for its own
  CHECK(latest_checkpoint(dir / "a") == dir / "a/ckpt-4.ckpt");
  moved.wait_for_saves();
  CHECK(moved.latest() == dir / "b/ckpt-3.ckpt");
}

TEST_CASE("a directory that goes away under a save is an error of that save", "[manager][async]") {
  TempDir dir;
  Run run{dir / "run", {.async = {.check_changes = true}}};
  run.manager.save_async().pending.durable();
  const AsyncSaveResult saved = run.manager.save_async({}, SaveMode::overlap);
  std::filesystem::rename(dir / "run", dir / "elsewhere");
  CKPT_CHECK_CODE(ErrorCode::not_found, saved.pending.durable());
  CKPT_CHECK_CODE(ErrorCode::not_found, run.manager.save_async());
  CHECK(run.manager.latest() == dir / "run/ckpt-1.ckpt");
}

TEST_CASE("a forked process is no second writer", "[manager][fork]") {
  TempDir dir;
  std::optional<Run> run{std::in_place, dir.path(), ManagerOptions{.max_to_keep = 1}};
  run->save();
  const ChildResult result = run_child([&]() -> std::string {
    for (const auto& call : {std::function<void()>{[&] { run->manager.save(); }},
                             {[&] { run->manager.pin(1); }},
                             {[&] { run->manager.unpin(1); }},
                             {[&] { run->manager.wait_for_deletions(); }},
                             {[&] { run->manager.restore_or_initialize(); }}}) {
      if (code_of(call) != ErrorCode::invalid_argument) return "no error";
    }
    run.reset();
    return {};
  });
  CHECK(result.text == "");
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-1.ckpt"});
  CHECK(run->save().path == dir / "ckpt-2.ckpt");
}

#if !defined(__SANITIZE_THREAD__)
TEST_CASE("a forked process cannot use a manager that saves in the background", "[manager][async]") {
  TempDir dir;
  std::optional<Run> run{std::in_place, dir.path(), ManagerOptions{.async = {.check_changes = true}}};
  const AsyncSaveResult saved = run->manager.save_async({}, SaveMode::overlap);
  const ChildResult result = run_child([&]() -> std::string {
    for (const auto& call : {std::function<void()>{[&] { run->manager.save_async(); }},
                             {[&] { run->manager.save(); }},
                             {[&] { run->manager.latest(); }},
                             {[&] { run->manager.restore_or_initialize(); }}}) {
      try {
        call();
        return "no error";
      } catch (const Error& error) {
        if (error.code() != ErrorCode::invalid_argument) return error.what();
      }
    }
    run.reset();
    return {};
  });
  CHECK(result.text == "");
  CHECK(saved.pending.durable() == dir / "ckpt-1.ckpt");
  CHECK(run->manager.latest() == dir / "ckpt-1.ckpt");
}
#endif
