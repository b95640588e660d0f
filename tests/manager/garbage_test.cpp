// Cleaning up a directory whose program does not run.
#include "clock.hpp"
#include "live_manager.hpp"

#include <support/sealed_state.hpp>

#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

using Numbers = std::vector<std::int64_t>;

std::string text_of(const std::filesystem::path& file) {
  const Bytes bytes = read_file(file);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The state of a directory as if a manager with these rules (lines) had written it.
void record_rules(const std::filesystem::path& directory, const std::string& rules) {
  const std::filesystem::path file = directory / "ckpt.state";
  std::string body;
  bool written = false;
  const std::string old = text_of(file);
  for (std::size_t at = 0, end = 0; (end = old.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string line = old.substr(at, end - at + 1);
    if (line.starts_with("rule ") || line.starts_with("checksum ")) continue;
    const bool entry = line.starts_with("active ") || line.starts_with("held ") || line.starts_with("preserved ");
    if (entry && !std::exchange(written, true)) body += rules;
    body += line;
  }
  write_file(file, std::string_view{sealed(body)});
}

std::string rules_in(const std::filesystem::path& directory) {
  const std::string text = text_of(directory / "ckpt.state");
  const std::size_t begin = text.find("rule ");
  return text.substr(begin, text.find('\n', text.rfind("rule ")) + 1 - begin);
}

/// Checkpoints 1 to `count`, and a state that says the newest `keep` are to be kept.
void make_run(const std::filesystem::path& directory, int count, int keep) {
  {
    Run run{directory, {.max_to_keep = std::nullopt}};
    for (int i = 1; i <= count; ++i) {
      run.value = static_cast<float>(i);
      run.save();
    }
  }
  record_rules(directory, "rule max_to_keep " + std::to_string(keep) + "\n");
}

Numbers numbers_in(const std::filesystem::path& directory) {
  Numbers numbers;
  for (const std::string& name : checkpoints_in(directory)) numbers.push_back(std::stoll(name.substr(5)));
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Paths names_of(const GarbageReport& report) {
  Paths names;
  for (const Garbage& garbage : report.garbage) names.push_back(garbage.file.filename());
  return names;
}

bool same(const std::vector<RetentionDecision>& a, const std::vector<RetentionDecision>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.file == y.file && x.number == y.number && x.keep == y.keep && x.reasons == y.reasons;
  });
}

ManagerOptions random_rules(std::mt19937& dice) {
  const auto below = [&](int limit) { return std::uniform_int_distribution{0, limit - 1}(dice); };
  ManagerOptions options;
  options.max_to_keep = below(8) == 0 ? std::nullopt : std::optional{1 + below(4)};
  if (below(2) == 0) options.keep_every_n_hours = 0.5 + below(6);
  if (below(3) == 0) options.keep_time_grid_hours = 1 + 0.25 * below(20);
  if (below(3) == 0) options.keep_every_n_steps = 1 + below(1000);
  for (const char* metric : {"loss", "the accuracy"}) {
    if (below(3) != 0) continue;
    options.keep_best.push_back({metric, 1 + below(3), below(2) == 0 ? Better::lower : Better::higher});
  }
  return options;
}

void save_at_random(Run& run, const Clock& clock, std::mt19937& dice) {
  const auto below = [&](int limit) { return std::uniform_int_distribution{0, limit - 1}(dice); };
  SaveRequest request{.options = quick()};
  if (below(4) != 0) request.options->writer.step = below(5000);
  if (below(4) != 0) request.options->writer.metrics = {{"loss", below(9) / 8.0}, {"the accuracy", below(9) / 8.0}};
  if (below(10) == 0) request.number = 1 + below(12);
  *clock.now += below(4) * 1800;
  const SaveResult result = run.save(request);
  if (below(8) == 0) write_file(result.path->string() + ".pin", std::string_view{});
}

}  // namespace

TEST_CASE("garbage is what the retention plan of a manager with the same rules lets go of", "[garbage]") {
  std::mt19937 dice{20261126};
  std::size_t gone = 0;
  for (int round = 0; round < 40; ++round) {
    TempDir dir;
    Clock clock;
    *clock.now = 1e6;
    ManagerOptions before{.max_to_keep = std::nullopt};
    if (round % 3 == 0) before = random_rules(dice);
    before.clock = clock.function();
    {
      Run run{dir / "run", before};
      for (int i = 0; i < 12; ++i) save_at_random(run, clock, dice);
    }
    ManagerOptions options = random_rules(dice);
    options.clock = clock.function();
    {
      Run{dir / "rules", options}.save();
    }
    record_rules(dir / "run", rules_in(dir / "rules"));
    INFO("round " << round << ":\n" << text_of(dir / "run/ckpt.state"));
    const auto plan = [&] { return Run{dir / "run", options}.manager.retention_plan(); };
    const std::vector<RetentionDecision> expected = plan();
    const Paths names = names_in(dir / "run");
    const GarbageReport dry = collect_garbage(dir / "run");
    CHECK(names_in(dir / "run") == names);
    REQUIRE(dry.runs.size() == 1);
    CHECK(same(dry.runs[0].decisions, expected));
    CHECK(dry.runs[0].held_back.empty());
    const GarbageReport applied = collect_garbage(dir / "run", {.apply = true});
    CHECK(same(applied.runs[0].decisions, expected));
    CHECK(names_of(applied) == names_of(dry));
    for (const Garbage& garbage : applied.garbage) CHECK(garbage.removed);
    for (const RetentionDecision& decision : expected) CHECK(std::filesystem::exists(decision.file) == decision.keep);
    gone += applied.garbage.size();
    // What stays is what a manager finds, and it agrees that nothing more has to go.
    for (const RetentionDecision& decision : plan()) CHECK(decision.keep);
    CHECK(collect_garbage(dir / "run", {.apply = true}).garbage.empty());
  }
  CHECK(gone > 60);
}

TEST_CASE("temporaries of killed saves and pins without a checkpoint go", "[garbage]") {
  TempDir dir;
  make_run(dir.path(), 3, 5);
  {
    LiveManager live{dir.path()};
    const GarbageReport during = collect_garbage(dir.path());
    CHECK(during.manager_runs);
    CHECK(during.garbage.empty());
    CKPT_REQUIRE_ERROR(error, ErrorCode::busy, collect_garbage(dir.path(), {.apply = true}));
    CHECK(contains(error.what(), "a manager is running here"));
    CHECK(temporaries_in(dir.path()) == 1);
  }
  for (const char* pin :
       {"ckpt-0.ckpt.pin", "ckpt-2.ckpt.pin", "ckpt-4.ckpt.pin", "ckpt-01.ckpt.pin", "x-1.ckpt.pin"}) {
    write_file(dir / pin, std::string_view{});
  }
  write_file(dir / ".not-ours.tmp", std::string_view{});
  const GarbageReport report = collect_garbage(dir.path(), {.apply = true});
  REQUIRE(report.garbage.size() == 2);
  CHECK(report.garbage[0].kind == GarbageKind::temporary);
  CHECK(report.garbage[1].kind == GarbageKind::pin);
  CHECK(report.garbage[1].file == dir / "ckpt-0.ckpt.pin");
  CHECK(temporaries_in(dir.path()) == 1);
  CHECK(names_in(dir.path()) == Paths{".ckpt.lock", ".not-ours.tmp", "ckpt-01.ckpt.pin", "ckpt-1.ckpt", "ckpt-2.ckpt",
                                      "ckpt-2.ckpt.pin", "ckpt-3.ckpt", "ckpt-4.ckpt.pin", "ckpt.state",
                                      "x-1.ckpt.pin"});
}

TEST_CASE("without a list or without rules, no checkpoint goes", "[garbage][state]") {
  TempDir dir;
  make_run(dir.path(), 4, 1);
  const auto [how, word] = GENERATE(table<std::string, std::string>({{"missing", "is missing"},
                                                                     {"junk", "is damaged"},
                                                                     {"newer", "another version"},
                                                                     {"older", "records no rules"},
                                                                     {"outside", "is damaged"}}));
  CAPTURE(how);
  const auto replace = [&](const std::string& text) { write_file(dir / "ckpt.state", std::string_view{text}); };
  if (how == "missing") std::filesystem::remove(dir / "ckpt.state");
  if (how == "junk") replace("junk");
  if (how == "newer") replace(sealed("ckpt-state 2\nrule max_to_keep 1\n"));
  if (how == "older") record_rules(dir.path(), "");
  if (how == "outside") {
    replace(
        sealed("ckpt-state 1\nlatest ckpt-4.ckpt\nrule max_to_keep 1\nactive 1 ../x-1.ckpt\nactive 1 ckpt-4.ckpt\n"));
  }
  const GarbageReport report = collect_garbage(dir.path(), {.apply = true});
  CHECK(report.garbage.empty());
  REQUIRE(report.runs.size() == 1);
  CHECK(contains(report.runs[0].held_back, word));
  CHECK(numbers_in(dir.path()) == Numbers{1, 2, 3, 4});
}

TEST_CASE("what nobody listed stays, and the newest always", "[garbage]") {
  TempDir dir;
  make_run(dir.path(), 4, 1);
  std::filesystem::copy(dir / "ckpt-1.ckpt", dir / "ckpt-0.ckpt");
  std::filesystem::copy(dir / "ckpt-1.ckpt", dir / "ckpt-9.ckpt");
  std::filesystem::copy(dir / "ckpt-1.ckpt", dir / "final.ckpt");
  std::filesystem::copy(dir / "ckpt-1.ckpt", dir / "other-1.ckpt");
  collect_garbage(dir.path(), {.apply = true});
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-0.ckpt", "ckpt-4.ckpt", "ckpt-9.ckpt", "final.ckpt", "other-1.ckpt"});
}

TEST_CASE("what a restore would need does not go", "[garbage]") {
  TempDir dir;
  make_run(dir.path(), 5, 2);
  SECTION("the newest is damaged, the one before is whole") {
    damage(dir / "ckpt-5.ckpt");
    collect_garbage(dir.path(), {.apply = true});
    CHECK(numbers_in(dir.path()) == Numbers{4, 5});
  }
  SECTION("none that stays is whole") {
    damage(dir / "ckpt-5.ckpt");
    write_file(dir / "ckpt-4.ckpt", std::string_view{"x"});
    const GarbageReport report = collect_garbage(dir.path(), {.apply = true});
    CHECK(report.garbage.empty());
    CHECK(report.runs[0].decisions[0].reasons == Paths{"no newer one that stays is whole"});
    CHECK(numbers_in(dir.path()) == Numbers{1, 2, 3, 4, 5});
    Run run{dir.path()};
    CHECK(run.manager.restore_or_initialize().path == dir / "ckpt-3.ckpt");
  }
  SECTION("an older one that stays is whole") {
    damage(dir / "ckpt-5.ckpt");
    damage(dir / "ckpt-4.ckpt");
    write_file(dir / "ckpt-2.ckpt.pin", std::string_view{});
    const GarbageReport report = collect_garbage(dir.path(), {.apply = true});
    CHECK(names_of(report) == Paths{"ckpt-1.ckpt"});
    CHECK(numbers_in(dir.path()) == Numbers{2, 3, 4, 5});
  }
}

TEST_CASE("links are removed and not followed; what cannot be removed is told, and found again", "[garbage][hostile]") {
  TempDir dir;
  make_run(dir / "run", 5, 1);
  write_file(dir / "precious", std::string_view{"x"});
  for (const char* name : {"run/ckpt-1.ckpt", "run/ckpt-2.ckpt"}) std::filesystem::remove(dir / name);
  std::filesystem::create_symlink("../precious", dir / "run/ckpt-1.ckpt");
  std::filesystem::create_directory(dir / "run/ckpt-2.ckpt");
  std::filesystem::create_directory(dir / "run/ckpt-0.ckpt.pin");
  const GarbageReport report = collect_garbage(dir / "run", {.apply = true});
  REQUIRE(names_of(report) == Paths{"ckpt-1.ckpt", "ckpt-2.ckpt", "ckpt-3.ckpt", "ckpt-4.ckpt"});
  CHECK(report.garbage[0].removed);
  CHECK(report.garbage[0].bytes == 0);
  CHECK_FALSE(report.garbage[1].removed);
  REQUIRE(report.garbage[1].failure);
  CHECK(report.garbage[1].failure->code() == ErrorCode::io);
  CHECK(text_of(dir / "precious") == "x");
  CHECK(checkpoints_in(dir / "run") == Paths{"ckpt-2.ckpt", "ckpt-5.ckpt"});
  CHECK(names_of(collect_garbage(dir / "run")) == Paths{"ckpt-2.ckpt"});
}

TEST_CASE("a directory where no manager was is left as it is", "[garbage]") {
  TempDir dir;
  const std::string temporary = ".other.0123456789abcdef.tmp";
  write_file(dir / temporary, std::string_view{});
  CKPT_CHECK_CODE(ErrorCode::not_found, collect_garbage(dir.path(), {.apply = true}));
  CHECK(names_in(dir.path()) == Paths{temporary});
  CKPT_CHECK_CODE(ErrorCode::not_found, collect_garbage(dir / "missing", {.apply = true}));
}

TEST_CASE("a lock that cannot be made is not taken for a manager that runs", "[garbage]") {
  TempDir dir;
  make_run(dir.path(), 2, 1);
  std::filesystem::remove(dir / ".ckpt.lock");
  std::filesystem::create_directory(dir / ".ckpt.lock");
  CKPT_REQUIRE_ERROR(error, ErrorCode::io, collect_garbage(dir.path(), {.apply = true}));
  CHECK(error.details().system_error == EISDIR);
  CHECK(numbers_in(dir.path()) == Numbers{1, 2});
}

TEST_CASE("a clock that is behind does not make checkpoints stay for ever", "[garbage]") {
  TempDir dir;
  Clock clock;
  *clock.now = 1e10;  // in the year 2286
  {
    Run run{dir.path(), {.max_to_keep = std::nullopt, .clock = clock.function()}};
    for (int i = 0; i < 3; ++i) run.save();
  }
  record_rules(dir.path(), "rule max_to_keep 1\n");
  collect_garbage(dir.path(), {.apply = true});
  CHECK(numbers_in(dir.path()) == Numbers{3});
  CHECK(!contains(text_of(dir / "ckpt.state"), "preserved 1"));
}

TEST_CASE("a directory that is renamed away while it is looked at is left alone", "[garbage]") {
  TempDir dir;
  make_run(dir / "run", 4, 2);
  const auto rename_once = [&](std::uint64_t, std::uint64_t) {
    if (std::filesystem::exists(dir / "away")) return;
    std::filesystem::rename(dir / "run", dir / "away");
    std::filesystem::create_directory(dir / "run");
  };
  CKPT_CHECK_CODE(ErrorCode::not_found, collect_garbage(dir / "run", {.apply = true, .progress = rename_once}));
  CHECK(numbers_in(dir / "away") == Numbers{1, 2, 3, 4});
  CHECK(names_in(dir / "run").empty());
}

TEST_CASE("killed at any moment, it leaves a directory that the next manager reads", "[garbage][kill]") {
  constexpr int kCount = 400;
  constexpr int kRounds = 16;
  std::mt19937 dice{7};
  int partly = 0;
  TempDir dir;
  make_run(dir / "full", kCount, 2);
  // On a busy machine the child may be done before this process gets to kill it.
  int round = 0;
  for (; round < kRounds || (partly == 0 && round < 20 * kRounds); ++round) {
    const std::filesystem::path run_dir = dir / "run";
    std::filesystem::remove_all(run_dir);
    std::filesystem::create_directory(run_dir);
    for (const std::string& name : names_in(dir / "full")) {
      std::filesystem::create_hard_link(dir / "full" / name, run_dir / name);
    }
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      collect_garbage(run_dir, {.apply = true});
      ::_exit(0);
    }
    if (round % 4 == 0) {  // mostly before the list is written
      std::this_thread::sleep_for(std::chrono::microseconds{std::uniform_int_distribution{0, 4000}(dice)});
    } else {
      const int number = std::uniform_int_distribution{1, kCount / 2}(dice);
      const std::filesystem::path file = run_dir / ("ckpt-" + std::to_string(number) + ".ckpt");
      while (std::filesystem::exists(file)) std::this_thread::yield();
    }
    ::kill(child, SIGKILL);
    wait_for(child);
    const Numbers left = numbers_in(run_dir);
    INFO("round " << round << ", " << left.size() << " left");
    partly += left.size() > 2 && left.size() < kCount ? 1 : 0;
    REQUIRE(left.size() >= 2);
    CHECK(left.back() == kCount);
    CHECK(left[left.size() - 2] == kCount - 1);
    {
      LogCapture log;
      Run run{run_dir, {.max_to_keep = 2}};
      CHECK(log.warnings.empty());
      CHECK(run.manager.checkpoints().size() == left.size());
      REQUIRE(run.manager.restore_or_initialize());
      CHECK(run.value.value() == kCount);
    }
    collect_garbage(run_dir, {.apply = true});
    CHECK(names_in(run_dir) == Paths{".ckpt.lock", "ckpt-399.ckpt", "ckpt-400.ckpt", "ckpt.state"});
  }
  CHECK(partly > 0);
  std::cout << "killed half way in " << partly << " of " << round << " rounds\n";
}
