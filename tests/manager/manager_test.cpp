#include "run.hpp"

#include <limits>
#include <optional>
#include <string>
#include <utility>

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("the oldest goes when there are too many", "[manager][testDeletion]") {
  TempDir dir;
  Run run{dir / "run", {.max_to_keep = 3}};
  for (int i = 1; i <= 3; ++i) CHECK(run.save().deleted.empty());
  const SaveResult fourth = run.save();
  CHECK(fourth.path == dir / "run/ckpt-4.ckpt");
  CHECK(fourth.number == 4);
  CHECK(fourth.deleted == std::vector{dir / "run/ckpt-1.ckpt"});
  CHECK(checkpoints_in(dir / "run") == Paths{"ckpt-2.ckpt", "ckpt-3.ckpt", "ckpt-4.ckpt"});
  CHECK(run.manager.latest() == dir / "run/ckpt-4.ckpt");
  CHECK(run.manager.checkpoints().front() == dir / "run/ckpt-2.ckpt");
  CHECK(run.manager.checkpoints().size() == 3);
}

TEST_CASE("saving is durable by default", "[manager]") {
  TempDir dir;
  Variable<float> v{1};
  Checkpoint checkpoint{{"v", v}};
  CheckpointManager manager{checkpoint, dir / "a/b", {.max_to_keep = 1, .name = "test"}};
  manager.save();
  manager.save();
  manager.wait_for_deletions();
  CHECK(names_in(dir / "a/b") == Paths{".ckpt.lock", "test-2.ckpt", "test.state"});
}

TEST_CASE("all are kept when no number is given; a later manager deletes only when it saves",
          "[manager][testKeepAll]") {
  TempDir dir;
  {
    Run run{dir / "run", {.max_to_keep = std::nullopt}};
    for (int i = 0; i < 7; ++i) run.save();
    CHECK(checkpoints_in(dir / "run").size() == 7);
  }
  {
    Run run{dir / "run", {.max_to_keep = std::nullopt}};
    CHECK(run.manager.checkpoints().size() == 7);
  }
  Run run{dir / "run", {.max_to_keep = 3}};
  CHECK(checkpoints_in(dir / "run").size() == 7);
  REQUIRE(run.manager.restore_or_initialize());
  CHECK(run.save().deleted.size() == 5);
  CHECK(checkpoints_in(dir / "run") == Paths{"ckpt-6.ckpt", "ckpt-7.ckpt", "ckpt-8.ckpt"});
}

TEST_CASE("files of others are left alone, and numbering goes on", "[manager][testContinueFromUnmanaged]") {
  TempDir dir;
  {
    Variable<float> v{5};
    Checkpoint checkpoint{{"v", v}};
    checkpoint.save(dir / "other", quick());
    checkpoint.save(dir / "other", quick());
  }
  Run run{dir.path(), {.max_to_keep = 1, .name = "mine"}};
  run.checkpoint.restore(dir / "other-2.ckpt").assert_consumed();
  CHECK(run.save().path == dir / "mine-3.ckpt");
  CHECK(run.save().path == dir / "mine-4.ckpt");
  CHECK(checkpoints_in(dir.path()) == Paths{"mine-4.ckpt", "other-1.ckpt", "other-2.ckpt"});
}

TEST_CASE("numbers of the caller's own", "[manager][testCustomNumbering]") {
  TempDir dir;
  Run run{dir / "run", {.max_to_keep = 2}};
  for (int step = 0; step < 10; step += 2) {
    CHECK(run.save(step).path == dir / ("run/ckpt-" + std::to_string(step) + ".ckpt"));
  }
  CHECK(run.checkpoint.save_counter().value() == 5);
  Variable<std::int64_t> number{8};
  CHECK(*run.manager.save(number).path == dir / "run/ckpt-8.ckpt");
  CHECK(number.value() == 8);
  CHECK(run.save(32).path == dir / "run/ckpt-32.ckpt");
  CHECK(run.manager.latest() == dir / "run/ckpt-32.ckpt");
  CHECK(checkpoints_in(dir / "run") == Paths{"ckpt-32.ckpt", "ckpt-8.ckpt"});
  CHECK(run.manager.checkpoints() == std::vector{dir / "run/ckpt-8.ckpt", dir / "run/ckpt-32.ckpt"});
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, run.save(-1));
}

TEST_CASE("a number used again becomes the newest", "[manager][golden-D]") {
  TempDir dir;
  Run run{dir / "run", {.max_to_keep = 2}};
  for (const int number : {1, 2, 1, 3}) {
    run.value = static_cast<float>(number);
    run.save(number);
  }
  CHECK(checkpoints_in(dir / "run") == Paths{"ckpt-1.ckpt", "ckpt-3.ckpt"});
  CHECK(run.manager.checkpoints() == std::vector{dir / "run/ckpt-1.ckpt", dir / "run/ckpt-3.ckpt"});
}

TEST_CASE("a fresh start, and a restart", "[manager][testRestoreOrInitialize][testCheckpointManagerFSpathDirectory]") {
  TempDir dir;
  int initialised = 0;
  const ManagerOptions options{.init_fn = [&] { ++initialised; }};
  {
    Run run{dir / "run", options};
    const RestoreResult fresh = run.manager.restore_or_initialize();
    CHECK(!fresh);
    CHECK(initialised == 1);
    CHECK(!fresh.status);
    CHECK(!run.manager.latest());
    run.value = 7.0F;
    run.save();
  }
  Run run{dir / "run", options};
  const RestoreResult result = run.manager.restore_or_initialize();
  REQUIRE(result);
  CHECK(initialised == 1);
  CHECK(result.path == dir / "run/ckpt-1.ckpt");
  REQUIRE(result.status.has_value());
  result.status->assert_consumed();
  CHECK(result.skipped.empty());
  CHECK(run.value.value() == 7);
  CHECK(run.save().path == dir / "run/ckpt-2.ckpt");
}

TEST_CASE("values wait for objects after restore_or_initialize", "[manager][deferred]") {
  TempDir dir;
  {
    Dense net;
    Checkpoint checkpoint{{"net", net}};
    CheckpointManager manager{checkpoint, dir.path(), {.max_to_keep = 1, .save = quick()}};
    net(3);
    net.bias.mutable_values()[1] = 9;
    manager.save();
  }
  Dense net;
  Checkpoint checkpoint{{"net", net}};
  CheckpointManager manager{checkpoint, dir.path(), {.max_to_keep = 1, .save = quick()}};
  const auto result = manager.restore_or_initialize();
  // Rotation must not pull the file from under what waits.
  result.status->expect_partial();  // or these saves would be refused
  manager.save(100);
  manager.save(101);
  manager.wait_for_deletions();
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-101.ckpt"});
  net(3);
  CHECK(net.bias.values()[1] == 9);
  result.status->assert_consumed();
}

TEST_CASE("names of files", "[manager][testCustomCheckpointPrefix]") {
  TempDir dir;
  Variable<float> v{1};
  Checkpoint checkpoint{{"v", v}};
  for (const char* name : {"", ".hidden", "a/b", "..", "a\nb"}) {
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, CheckpointManager(checkpoint, dir.path(), {.name = name}));
  }
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, CheckpointManager(checkpoint, dir.path(), {.max_to_keep = 0}));
  CheckpointManager manager{checkpoint, dir.path(), {.name = "two words-7", .save = quick()}};
  CHECK(manager.save().path == dir / "two words-7-1.ckpt");
  CHECK(latest_checkpoint(dir.path(), "two words-7") == dir / "two words-7-1.ckpt");
  CHECK(!latest_checkpoint(dir.path(), "two words"));
}

TEST_CASE("a relative directory", "[manager][testRelativePath]") {
  TempDir dir;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  {
    Run run{"train"};
    for (int i = 0; i < 3; ++i) {
      run.value = static_cast<float>(i);
      run.save(i);
    }
    CHECK(run.manager.latest() == "train/ckpt-2.ckpt");
    CHECK(latest_checkpoint("train") == "train/ckpt-2.ckpt");
    run.manager.pin("train/ckpt-0.ckpt");
    // What was opened stays what it was.
    std::filesystem::current_path(before);
    CHECK(run.save(3).path == "train/ckpt-3.ckpt");
    run.manager.pin("train/ckpt-1.ckpt");
  }
  CHECK(std::filesystem::exists(dir / "train/ckpt-3.ckpt"));
  CHECK(std::filesystem::exists(dir / "train/ckpt-1.ckpt.pin"));
  Run run{dir / "train"};
  CHECK(run.manager.restore_or_initialize().path == dir / "train/ckpt-3.ckpt");
  CHECK(run.value.value() == 2);
}

TEST_CASE("a file where the directory should be", "[manager]") {
  TempDir dir;
  write_file(dir / "file", std::string_view{"x"});
  for (const char* path : {"file", "file/run"}) {
    CKPT_REQUIRE_ERROR(error, ErrorCode::io, Run(dir / path));
    CHECK(contains(error.details().advice, "there is a file where the path needs a directory"));
  }
}

TEST_CASE("one manager a directory", "[manager][lock]") {
  TempDir dir;
  std::optional<Run> first{std::in_place, dir / "run"};
  CKPT_REQUIRE_ERROR(error, ErrorCode::busy, Run(dir / "run"));
  CHECK(!error.details().advice.empty());
  CHECK_NOTHROW(Run(dir / "other"));
  CheckpointManager moved{std::move(first->manager)};
  CKPT_CHECK_CODE(ErrorCode::busy, Run(dir / "run"));
  first.reset();
  CKPT_CHECK_CODE(ErrorCode::busy, Run(dir / "run"));
  {
    const CheckpointManager last{std::move(moved)};
  }
  CHECK_NOTHROW(Run(dir / "run"));
}

TEST_CASE("a directory that is renamed away is noticed before anything is written or removed", "[manager][lifetime]") {
  TempDir dir;
  Run run{dir / "run", {.max_to_keep = 1}};
  run.save();
  std::filesystem::rename(dir / "run", dir / "away");
  CKPT_CHECK_CODE(ErrorCode::not_found, run.save());
  std::filesystem::create_directory(dir / "run");
  {
    CKPT_REQUIRE_ERROR(error, ErrorCode::not_found, run.save());
    CHECK(error.details().file == dir / "run");
  }
  CKPT_CHECK_CODE(ErrorCode::not_found, run.manager.pin(1));
  CKPT_CHECK_CODE(ErrorCode::not_found, run.manager.unpin(1));
  CHECK(names_in(dir / "run").empty());
  CHECK(checkpoints_in(dir / "away") == Paths{"ckpt-1.ckpt"});
  std::filesystem::remove(dir / "run");
  std::filesystem::rename(dir / "away", dir / "run");
  CHECK(run.save().path == dir / "run/ckpt-2.ckpt");
  CHECK(checkpoints_in(dir / "run") == Paths{"ckpt-2.ckpt"});
}

TEST_CASE("the manager follows a checkpoint that is moved, and reports one that is gone", "[manager][lifetime]") {
  TempDir dir;
  Variable<float> v{1};
  std::optional<Checkpoint> checkpoint{std::in_place};
  checkpoint->track("v", v);
  CheckpointManager manager{*checkpoint, dir.path(), {.save = quick()}};
  std::optional<Checkpoint> moved{std::move(*checkpoint)};
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, CheckpointManager(*checkpoint, dir / "other"));
  checkpoint.reset();
  manager.save();
  moved.reset();
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, manager.save());
}

TEST_CASE("options of a save", "[manager][testPassingCheckpointOptions]") {
  TempDir dir;
  Variable<float> v{{100'000}, 1.0F};
  Checkpoint checkpoint{{"v", v}};
  SaveOptions defaults = quick();
  defaults.writer.compression = Compression::zstd;
  CheckpointManager manager{checkpoint, dir.path(), {.save = defaults}};
  SaveOptions once = quick();
  once.writer.step = 12;
  once.metadata["note"] = std::string{"plain"};
  const Reader compressed = Reader::open(*manager.save().path);
  CHECK(Reader::open(*manager.save(7, once).path).metadata().contains("note"));
  const Reader plain = Reader::open(*manager.save(once).path);
  CHECK(compressed.info(*compressed.find("v")).compression == Compression::zstd);
  CHECK(plain.info(*plain.find("v")).compression == Compression::none);
  CHECK(std::get<std::int64_t>(plain.metadata().at("ckpt.step")) == 12);
  CHECK(std::get<std::string>(plain.metadata().at("note")) == "plain");
}

TEST_CASE("a destroyed object fails the save and leaves what is there", "[manager][lifetime]") {
  TempDir dir;
  Run run{dir / "run", {.max_to_keep = 1}};
  run.save();
  {
    Box temporary;
    run.checkpoint.track("temporary", temporary);
  }
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, run.save());
  CHECK(checkpoints_in(dir / "run") == Paths{"ckpt-1.ckpt"});
  CHECK(run.manager.latest() == dir / "run/ckpt-1.ckpt");
}

TEST_CASE("latest_checkpoint", "[manager][testLatestCheckpointFSpathDirectory]") {
  TempDir dir;
  CHECK(!latest_checkpoint(dir / "none"));
  CHECK(!latest_checkpoint(dir.path()));
  write_file(dir / "file", std::string_view{"x"});
  CKPT_CHECK_CODE(ErrorCode::io, latest_checkpoint(dir / "file"));
  Run run{dir / "run"};
  CHECK(!latest_checkpoint(dir / "run"));
  run.save();
  CHECK(latest_checkpoint(dir / "run") == dir / "run/ckpt-1.ckpt");  // while the manager holds the lock
  run.save();
  CHECK(latest_checkpoint(dir / "run") == dir / "run/ckpt-2.ckpt");
}

TEST_CASE("a counter that a file has ruined is refused", "[manager][hostile]") {
  TempDir dir;
  Run run{dir / "run"};
  run.checkpoint.save_counter() = std::numeric_limits<std::int64_t>::max();
  CKPT_CHECK_CODE(ErrorCode::limit, run.save());
  CHECK(checkpoints_in(dir / "run").empty());
}
