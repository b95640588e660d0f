// Looking at a directory of checkpoints without a manager.
#include "clock.hpp"
#include "live_manager.hpp"

#include <support/sealed_state.hpp>

#include <string>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

using Numbers = std::vector<std::int64_t>;

SaveRequest with(std::int64_t step, std::vector<Metric> metrics) {
  SaveOptions options = quick();
  options.writer.step = step;
  options.writer.metrics = std::move(metrics);
  return {.options = options};
}

const RunHistory& only_run(const DirectoryHistory& history) {
  REQUIRE(history.runs.size() == 1);
  return history.runs.front();
}

Numbers numbers_of(const RunHistory& run) {
  Numbers numbers;
  for (const HistoryEntry& entry : run.checkpoints) numbers.push_back(entry.number);
  return numbers;
}

Numbers numbers_that_are(const RunHistory& run, Management management) {
  Numbers numbers;
  for (const HistoryEntry& entry : run.checkpoints) {
    if (entry.management == management) numbers.push_back(entry.number);
  }
  return numbers;
}

/// Names, contents and times of a directory.
std::vector<std::string> everything_in(const std::filesystem::path& directory) {
  std::vector<std::string> all;
  for (const std::string& name : names_in(directory)) {
    const std::filesystem::path file = directory / name;
    const Bytes bytes = read_file(file);
    all.push_back(name + std::to_string(std::filesystem::last_write_time(file).time_since_epoch().count()) +
                  std::string{reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  return all;
}

}  // namespace

TEST_CASE("a history tells what files and list say, oldest first", "[history]") {
  TempDir dir;
  Clock clock;
  {
    Run run{dir.path(), {.max_to_keep = 2, .keep_every_n_hours = 4, .clock = clock.function()}};
    for (int i = 1; i <= 8; ++i) {
      clock.set_hours(i);
      run.save(with(100 * i, {{"loss", 1.0 / i}, {"acc", 1.0 * i}}));
    }
    run.manager.pin(7);
  }
  const auto before = everything_in(dir.path());
  const DirectoryHistory history = read_history(dir.path());
  CHECK(everything_in(dir.path()) == before);
  CHECK_FALSE(history.manager_runs);
  CHECK(history.temporaries.empty());
  const RunHistory& run = only_run(history);
  CHECK(run.name == "ckpt");
  CHECK(!run.state_problem);
  REQUIRE(run.rules);
  CHECK(run.rules->max_to_keep == 2);
  CHECK(run.rules->keep_every_n_hours == 4);
  CHECK(!run.rules->keep_every_n_steps);
  CHECK(numbers_of(run) == Numbers{4, 7, 8});
  CHECK(numbers_that_are(run, Management::preserved) == Numbers{4});
  const HistoryEntry& seventh = run.checkpoints[1];
  CHECK(seventh.file == dir / "ckpt-7.ckpt");
  CHECK(seventh.bytes == std::filesystem::file_size(seventh.file));
  CHECK(seventh.step == 700);
  CHECK(seventh.created_ns == 7 * 3600 * 1'000'000'000LL);
  REQUIRE(seventh.metrics.size() == 2);
  CHECK(seventh.metrics[0].name == "acc");
  CHECK(seventh.metrics[0].value == 7);
  CHECK(seventh.pinned);
  CHECK_FALSE(seventh.newest);
  CHECK(run.checkpoints[2].newest);
  CHECK_FALSE(run.checkpoints[2].pinned);
  for (const HistoryEntry& entry : run.checkpoints) CHECK(!entry.problem);
}

TEST_CASE("what is not listed goes before the list, or behind it", "[history]") {
  TempDir dir;
  {
    Run run{dir.path(), {.max_to_keep = std::nullopt}};
    for (const int number : {1, 9, 5}) run.save(number);
  }
  std::filesystem::copy(dir / "ckpt-1.ckpt", dir / "ckpt-0.ckpt");
  std::filesystem::copy(dir / "ckpt-1.ckpt", dir / "ckpt-7.ckpt");
  std::filesystem::copy(dir / "ckpt-1.ckpt", dir / "ckpt-10.ckpt");
  const DirectoryHistory history = read_history(dir.path());
  const RunHistory& run = only_run(history);
  CHECK(numbers_of(run) == Numbers{0, 7, 1, 9, 5, 10});
  CHECK(numbers_that_are(run, Management::unmanaged) == Numbers{0, 7, 10});
  CHECK(run.checkpoints.back().newest);
  Run again{dir.path()};
  CHECK(again.manager.restore_or_initialize().path == run.checkpoints.back().file);
}

TEST_CASE("damage of the index is found at once, that of a tensor when it is asked for", "[history]") {
  TempDir dir;
  {
    Run run{dir.path()};
    for (int i = 1; i <= 4; ++i) run.save();
  }
  damage(dir / "ckpt-2.ckpt");
  write_file(dir / "ckpt-3.ckpt", std::string_view{"no checkpoint"});
  const DirectoryHistory quickly = read_history(dir.path());
  const auto& quick_run = only_run(quickly).checkpoints;
  CHECK(!quick_run[1].problem);
  REQUIRE(quick_run[2].problem);
  CHECK(quick_run[2].problem->code() == ErrorCode::corrupt);
  CHECK(quick_run[2].bytes == 13);
  std::uint64_t last = 0;
  std::uint64_t total = 0;
  const DirectoryHistory verified =
      read_history(dir.path(), {.verify = true, .progress = [&](std::uint64_t done, std::uint64_t of) {
                                  last = done;
                                  total = of;
                                }});
  const auto& run = only_run(verified).checkpoints;
  CHECK(!run[0].problem);
  REQUIRE(run[1].problem);
  CHECK(run[1].problem->details().object == "v");
  CHECK(run[2].problem);
  CHECK(!run[3].problem);
  CHECK(total == run[0].bytes + run[1].bytes + run[2].bytes + run[3].bytes);
  CHECK(last > run[0].bytes);
  CHECK(last <= total);
}

TEST_CASE("a state that cannot be used is told, and lists nothing", "[history][state]") {
  TempDir dir;
  {
    Run run{dir.path()};
    for (int i = 1; i <= 3; ++i) run.save();
  }
  const auto [text, code] = GENERATE(table<std::string, ErrorCode>({
      {"", ErrorCode::corrupt},
      {"junk", ErrorCode::corrupt},
      {sealed("ckpt-state 1\nlatest ckpt-3.ckpt\nrule max_to_keep 0\nactive 1 ckpt-3.ckpt\n"), ErrorCode::corrupt},
      {sealed("ckpt-state 1\nlatest ../x-3.ckpt\nactive 1 ../x-3.ckpt\n"), ErrorCode::corrupt},
      {sealed("ckpt-state 2\nfuture\n"), ErrorCode::unsupported},
      {"missing", ErrorCode::not_found},
      {"directory", ErrorCode::invalid_argument},
  }));
  CAPTURE(text);
  std::filesystem::remove(dir / "ckpt.state");
  if (text == "directory") {
    std::filesystem::create_directory(dir / "ckpt.state");
  } else if (text != "missing") {
    write_file(dir / "ckpt.state", std::string_view{text});
  }
  const DirectoryHistory history = read_history(dir.path());
  const RunHistory& run = only_run(history);
  REQUIRE(run.state_problem);
  CHECK(run.state_problem->code() == code);
  CHECK(!run.rules);
  CHECK(numbers_that_are(run, Management::unmanaged) == Numbers{1, 2, 3});
  CHECK(run.checkpoints.back().newest);
}

TEST_CASE("files that are gone are left out, and several names are told apart", "[history]") {
  TempDir dir;
  for (const char* name : {"b", "a-1", "a"}) {
    Run run{dir.path(), {.name = name}};
    for (int i = 1; i <= 2; ++i) run.save();
  }
  std::filesystem::remove(dir / "a-2.ckpt");
  write_file(dir / "other.state", std::string_view{"of another program"});
  const DirectoryHistory history = read_history(dir.path());
  REQUIRE(history.runs.size() == 3);
  CHECK(history.runs[0].name == "a");
  CHECK(numbers_of(history.runs[0]) == Numbers{1});
  CHECK(history.runs[0].checkpoints[0].newest);
  CHECK(history.runs[1].name == "a-1");
  CHECK(numbers_of(history.runs[1]) == Numbers{1, 2});
  CHECK(history.runs[2].name == "b");
}

TEST_CASE("a manager at work is seen, and the temporary of a save tells whether its writer lives", "[history]") {
  TempDir dir;
  LiveManager live{dir.path()};
  const DirectoryHistory during = read_history(dir.path());
  CHECK(during.manager_runs);
  REQUIRE(during.temporaries.size() == 1);
  CHECK_FALSE(during.temporaries[0].stale);
  CHECK(contains(during.temporaries[0].file.filename().string(), ".ckpt-99.ckpt."));
  live.kill();
  const DirectoryHistory after = read_history(dir.path());
  CHECK_FALSE(after.manager_runs);
  REQUIRE(after.temporaries.size() == 1);
  CHECK(after.temporaries[0].stale);
  CHECK(after.temporaries[0].bytes == std::filesystem::file_size(after.temporaries[0].file));
  CHECK(after.runs.empty());
}

TEST_CASE("junk, directories and links in the place of checkpoints", "[history][hostile]") {
  TempDir dir;
  {
    Run run{dir / "run", {.max_to_keep = std::nullopt}};
    for (int i = 1; i <= 3; ++i) run.save();
  }
  write_file(dir / "precious", std::string_view{"x"});
  for (int i = 0; i < 10'000; ++i) write_file(dir / ("run/junk" + std::to_string(i)), std::string_view{});
  for (const char* name : {"ckpt-007.ckpt", "ckpt-99999999999999999999.ckpt", "ckpt-.ckpt", "-1.ckpt", ".x-1.ckpt",
                           "ckpt-1.ckpt.pin.pin", ".state", "\xff-1.ckpt", "a\n-1.ckpt"}) {
    write_file(dir / "run" / name, std::string_view{"junk"});
  }
  std::filesystem::create_directory(dir / "run/ckpt-4.ckpt");
  std::filesystem::create_symlink("nowhere", dir / "run/ckpt-5.ckpt");
  std::filesystem::create_symlink("../precious", dir / "run/ckpt-6.ckpt");
  std::filesystem::create_symlink("ckpt-1.ckpt", dir / "run/ckpt-7.ckpt");
  REQUIRE(::mkfifo((dir / "run/ckpt-8.ckpt").c_str(), 0600) == 0);
  const DirectoryHistory history = read_history(dir / "run");
  const RunHistory& run = only_run(history);
  CHECK(numbers_of(run) == Numbers{1, 2, 3, 4, 5, 6, 7, 8});
  for (const HistoryEntry& entry : run.checkpoints) {
    CAPTURE(entry.number);
    const bool whole = entry.number <= 3 || entry.number == 7;
    CHECK(entry.problem.has_value() != whole);
    CHECK((entry.bytes == 0) == (entry.number > 3));
  }
}

TEST_CASE("a directory where no manager was is refused", "[history]") {
  TempDir dir;
  CKPT_CHECK_CODE(ErrorCode::not_found, read_history(dir.path()));
  CKPT_CHECK_CODE(ErrorCode::not_found, read_history(dir / "missing"));
  write_file(dir / "final.ckpt", std::string_view{"x"});
  write_file(dir / "ckpt-1.ckpt.pin", std::string_view{"x"});
  CKPT_CHECK_CODE(ErrorCode::not_found, read_history(dir.path()));
  CKPT_CHECK_CODE(ErrorCode::io, read_history(dir / "final.ckpt"));
  {
    Run run{dir / "new"};
  }
  CHECK(read_history(dir / "new").runs.empty());
}
