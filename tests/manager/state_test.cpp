// The state file: what survives a restart, and what happens when it does not.
#include "run.hpp"

#include <support/sealed_state.hpp>

#include <string>

using namespace ckpt;
using namespace ckpt::test;

namespace {

std::string text_of(const std::filesystem::path& file) {
  const Bytes bytes = read_file(file);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Checkpoints 1 to `count`, each with its number as value.
void make_run(const std::filesystem::path& directory, int count) {
  Run run{directory, {.max_to_keep = std::nullopt}};
  for (int i = 1; i <= count; ++i) {
    run.value = static_cast<float>(i);
    run.save();
  }
}

}  // namespace

TEST_CASE("the state file is text, and its format is pinned",
          "[manager][state][testRelPath][testUpdateCheckpointStateSaveRelativePaths]") {
  TempDir dir;
  make_run(dir.path(), 2);
  const std::string text = text_of(dir / "ckpt.state");
  INFO(text);
  CHECK(text.starts_with("ckpt-state 1\nlatest ckpt-2.ckpt\nlast_preserved 1"));
  CHECK(contains(text, "\nactive 1"));
  CHECK(contains(text, " ckpt-1.ckpt\nactive 1"));
  const std::string body = text.substr(0, text.find("checksum "));
  CHECK(text == sealed(body));
}

TEST_CASE("the state file records the rules, and a manager's own options go before them", "[manager][state]") {
  TempDir dir;
  {
    ManagerOptions options{
        .max_to_keep = 2,
        .keep_every_n_hours = 1.5,
        .keep_time_grid_hours = 24,
        .keep_every_n_steps = 1000,
        .keep_best = {{.metric = "val loss", .count = 2}, {.metric = "acc", .better = Better::higher}}};
    Run run{dir.path(), options};
    for (int i = 0; i < 4; ++i) run.save();
  }
  const std::string text = text_of(dir / "ckpt.state");
  INFO(text);
  CHECK(contains(
      text,
      "\nrule max_to_keep 2\nrule keep_every_n_hours 1.5\nrule keep_time_grid_hours 24\nrule keep_every_n_steps "
      "1000\nrule keep_best 2 lower val loss\nrule keep_best 1 higher acc\n"));
  LogCapture log;
  Run run{dir.path(), {.max_to_keep = std::nullopt}};
  REQUIRE(run.manager.restore_or_initialize());
  CHECK(run.save().deleted.empty());
  CHECK(log.warnings.empty());
  CHECK(contains(text_of(dir / "ckpt.state"), "\nrule max_to_keep all\nheld "));
}

TEST_CASE("a state file of before rules were recorded is read", "[manager][state]") {
  TempDir dir;
  make_run(dir.path(), 2);
  write_file(
      dir / "ckpt.state",
      std::string_view{sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nactive 1 ckpt-1.ckpt\nactive 2 ckpt-2.ckpt\n")});
  LogCapture log;
  Run run{dir.path()};
  CHECK(log.warnings.empty());
  CHECK(run.manager.checkpoints().size() == 2);
}

TEST_CASE("the state survives a restart",
          "[manager][state][testSaveRestoreState][testUpdateCheckpointState][testCheckPointCompletesRelativePaths]["
          "testAllModelCheckpointPaths]") {
  TempDir dir;
  {
    Run run{dir.path(), {.max_to_keep = 5}};
    for (const int number : {3, 10, 2}) run.save(number);
  }
  LogCapture log;
  Run run{dir.path(), {.max_to_keep = 5}};
  CHECK(run.manager.latest() == dir / "ckpt-2.ckpt");
  CHECK(run.manager.checkpoints() == std::vector{dir / "ckpt-3.ckpt", dir / "ckpt-10.ckpt", dir / "ckpt-2.ckpt"});
  CHECK(log.warnings.empty());
}

TEST_CASE("a state file that is missing, empty or damaged is rebuilt from the directory",
          "[manager][state][testCheckPointStateFailsWhenIncomplete]") {
  TempDir dir;
  make_run(dir.path(), 12);
  const std::string good = text_of(dir / "ckpt.state");
  std::string damaged = good;
  damaged[good.size() / 2] ^= 1;
  const auto [bad, word] = GENERATE_COPY(table<std::string, std::string>({
      {"", "empty"},
      {damaged, "damaged"},
      {good.substr(0, good.size() - 1), "damaged"},
      {good + "\n", "damaged"},
      {"\n", "damaged"},
      {"checksum 0\n", "damaged"},
      {sealed("ckpt-state 1\nlatest ckpt-3.ckpt\nactive 1 ckpt-2.ckpt\n"), "latest"},
      {sealed("ckpt-state 1\nlatest ckpt-3.ckpt\n"), "latest"},
      {sealed("ckpt-state 1\nactive 1 ckpt-2.ckpt\n"), "latest"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nactive x ckpt-2.ckpt\n"), "damaged"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nactive nan ckpt-2.ckpt\n"), "damaged"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nactive 1xckpt-2.ckpt\n"), "damaged"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nactive 1 ckpt-2.ckpt"), "damaged"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nactive 1 ckpt-2.ckpt\nactive 1 ckpt-2.ckpt\n"), "damaged"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nlast_preserved\nactive 1 ckpt-2.ckpt\n"), "damaged"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nactive 1 ckpt-2.ckpt\nheld"), "no end"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nlast_preserved \nactive 1 ckpt-2.ckpt\n"), "a time"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nlast_preserved inf\nactive 1 ckpt-2.ckpt\n"), "damaged"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nlast_preserved 1 2\nactive 1 ckpt-2.ckpt\n"), "damaged"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nactive 1 ckpt-2.ckpt\nlast_preserved 1\n"), "damaged"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nheld 1 ckpt-2.ckpt\nactive 2 ckpt-2.ckpt\n"), "damaged"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nkept 1 ckpt-2.ckpt\n"), "damaged"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nrule max_to_keep 0\nactive 1 ckpt-2.ckpt\n"), "rules"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nrule max_to_keep 03\nactive 1 ckpt-2.ckpt\n"), "rules"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nrule max_to_keep\nactive 1 ckpt-2.ckpt\n"), "rules"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nrule max_to_keep 99999999999\nactive 1 ckpt-2.ckpt\n"), "rules"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nrule keep_every_n_steps 5\nactive 1 ckpt-2.ckpt\n"), "rules"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nrule max_to_keep 1\nrule max_to_keep 1\nactive 1 ckpt-2.ckpt\n"),
       "rules"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nrule max_to_keep 1\nrule keep_all\nactive 1 ckpt-2.ckpt\n"), "rules"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nrule max_to_keep 1\nrule keep_every_n_hours nan\nactive 1 "
              "ckpt-2.ckpt\n"),
       "rules"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nrule max_to_keep 1\nrule keep_best 1 lower \nactive 1 ckpt-2.ckpt\n"),
       "rules"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nrule max_to_keep 1\nrule keep_best 1 lower a\tb\nactive 1 "
              "ckpt-2.ckpt\n"),
       "rules"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nrule max_to_keep 1\nrule keep_best 0 lower a\nactive 1 "
              "ckpt-2.ckpt\n"),
       "rules"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nrule max_to_keep 1\nrule keep_best 1 best a\nactive 1 "
              "ckpt-2.ckpt\n"),
       "rules"},
      {sealed("ckpt-state 1\nlatest ckpt-2.ckpt\nactive 1 ckpt-2.ckpt\nrule max_to_keep 1\n"), "damaged"},
      {sealed("something else\n"), "version"},
      {sealed(""), "version"},
      {"missing", "missing"},
  }));
  CAPTURE(bad);
  if (bad == "missing") {
    std::filesystem::remove(dir / "ckpt.state");
  } else {
    write_file(dir / "ckpt.state", std::string_view{bad});
  }
  LogCapture log;
  CHECK(latest_checkpoint(dir.path()) == dir / "ckpt-12.ckpt");
  log.warnings.clear();
  Run run{dir.path(), {.max_to_keep = 3}};
  REQUIRE(log.warnings.size() == 1);
  CHECK(contains(log.warnings[0], word));
  CHECK(contains(log.warnings[0], "rebuilt"));
  CHECK(run.manager.checkpoints() == std::vector{dir / "ckpt-10.ckpt", dir / "ckpt-11.ckpt", dir / "ckpt-12.ckpt"});
  REQUIRE(run.manager.restore_or_initialize());
  CHECK(run.value.value() == 12);
  CHECK(run.save().deleted == std::vector{dir / "ckpt-10.ckpt"});
  CHECK(checkpoints_in(dir.path()).size() == 12);  // 1 to 9 are nobody's and stay
  CHECK(contains(text_of(dir / "ckpt.state"), "latest ckpt-13.ckpt\n"));
}

TEST_CASE("a state file that is longer than any is not read", "[manager][state]") {
  TempDir dir;
  make_run(dir.path(), 2);
  std::filesystem::resize_file(dir / "ckpt.state", (64U << 20U) + 1);
  LogCapture log;
  Run run{dir.path()};
  REQUIRE(log.warnings.size() == 1);
  CHECK(contains(log.warnings[0], "is too long"));
  CHECK(run.manager.checkpoints().size() == 2);
}

TEST_CASE("a state file cannot point outside its directory", "[manager][state][hostile]") {
  TempDir dir;
  std::filesystem::create_directory(dir / "run");
  write_file(dir / "victim-1.ckpt", std::string_view{"precious"});
  write_file(dir / "run/ckpt-notes.ckpt", std::string_view{"precious"});
  make_run(dir / "run", 1);
  for (const char* entry : {"../victim-1.ckpt", "/etc/passwd", "ckpt-notes.ckpt", "ckpt-01.ckpt", "ckpt-1.ckpt/",
                            "./ckpt-1.ckpt", "ckpt--1.ckpt", "ckpt-99999999999999999999.ckpt", "other-1.ckpt", ""}) {
    CAPTURE(entry);
    const std::string body =
        std::string{"ckpt-state 1\nlatest ckpt-1.ckpt\nactive 1 "} + entry + "\nactive 2 ckpt-1.ckpt\n";
    write_file(dir / "run/ckpt.state", std::string_view{sealed(body)});
    LogCapture log;
    Run run{dir / "run", {.max_to_keep = 1}};
    CHECK(log.warnings.size() == 1);
    CHECK(run.manager.checkpoints() == std::vector{dir / "run/ckpt-1.ckpt"});
    run.manager.restore_or_initialize();
    run.save(1);
  }
  CHECK(names_in(dir.path()) == Paths{"run", "victim-1.ckpt"});
  CHECK(std::filesystem::exists(dir / "run/ckpt-notes.ckpt"));
}

TEST_CASE("a state file of a later version is not overwritten", "[manager][state]") {
  TempDir dir;
  make_run(dir.path(), 1);
  write_file(dir / "ckpt.state", std::string_view{sealed("ckpt-state 2\nfuture\n")});
  CKPT_REQUIRE_ERROR(error, ErrorCode::unsupported, Run(dir.path()));
  CHECK(error.details().found == "2");
}

TEST_CASE("junk in the directory is ignored when the state is rebuilt", "[manager][state]") {
  TempDir dir;
  make_run(dir.path(), 2);
  std::filesystem::remove(dir / "ckpt.state");
  for (const char* name :
       {"ckpt-007.ckpt", "ckpt-.ckpt", "ckpt-9.ckpt.tmp", "ckpt-+9.ckpt", "ckpt-9.CKPT", "ckpt--9.ckpt", "ckpt-9a.ckpt",
        "ckpt-9223372036854775808.ckpt", "xckpt-9.ckpt", "ckpt9.ckpt", "ckpt-9 .ckpt", "ckpt"}) {
    write_file(dir / name, std::string_view{"junk"});
  }
  const std::size_t files = names_in(dir.path()).size();
  LogCapture log;
  Run run{dir.path(), {.max_to_keep = 1}};
  CHECK(run.manager.checkpoints() == std::vector{dir / "ckpt-2.ckpt"});
  REQUIRE(run.manager.restore_or_initialize());
  run.save();
  CHECK(names_in(dir.path()).size() == files + 1);  // 2 went, 3 and the state came
}

TEST_CASE("files that are gone are left out of the state", "[manager][state]") {
  TempDir dir;
  make_run(dir.path(), 4);
  std::filesystem::remove(dir / "ckpt-2.ckpt");
  {
    LogCapture log;
    Run run{dir.path(), {.max_to_keep = 9}};
    CHECK(log.warnings.empty());  // rotation does that, too
    CHECK(run.manager.checkpoints().size() == 3);
  }
  std::filesystem::remove(dir / "ckpt-4.ckpt");
  LogCapture log;
  Run run{dir.path(), {.max_to_keep = 9}};
  CHECK(log.warnings.size() == 1);
  CHECK(run.manager.latest() == dir / "ckpt-3.ckpt");
  CHECK(latest_checkpoint(dir.path()) == dir / "ckpt-3.ckpt");
}

TEST_CASE("a program killed between the checkpoint and the state continues from that checkpoint", "[manager][state]") {
  TempDir dir;
  make_run(dir.path(), 3);
  const std::string before = text_of(dir / "ckpt.state");
  {
    Run run{dir.path(), {.max_to_keep = 3}};
    REQUIRE(run.manager.restore_or_initialize());
    run.value = 4.0F;
    run.save();
    CHECK(checkpoints_in(dir.path()).size() == 3);
  }
  write_file(dir / "ckpt.state", std::string_view{before});  // lists 1 to 3; on disk are 2 to 4
  Run run{dir.path(), {.max_to_keep = 3}};
  CHECK(run.manager.latest() == dir / "ckpt-3.ckpt");
  const auto result = run.manager.restore_or_initialize();
  CHECK(result.path == dir / "ckpt-4.ckpt");
  CHECK(run.value.value() == 4);
  CHECK(run.manager.latest() == dir / "ckpt-4.ckpt");
  run.save();
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-3.ckpt", "ckpt-4.ckpt", "ckpt-5.ckpt"});
}

TEST_CASE("an empty directory needs no words", "[manager][state]") {
  TempDir dir;
  LogCapture log;
  Run run{dir / "new"};
  CHECK(log.warnings.empty());
  CHECK(run.manager.checkpoints().empty());
}
