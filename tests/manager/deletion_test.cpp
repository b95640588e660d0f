// Old checkpoints go in the background.
#include "run.hpp"

#include <unistd.h>

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// Holds the thread that removes files: it stops at its first line to the log, until it is let go. A directory in the
/// place of a checkpoint makes it write one.
class Gate {
 public:
  Gate() {
    set_log_callback([this](LogLevel level, std::string_view message) {
      std::unique_lock lock{mutex_};
      if (level == LogLevel::warning) lines_.emplace_back(message);
      arrived_ = true;
      changed_.notify_all();
      changed_.wait(lock, [this] { return open_; });
    });
  }
  ~Gate() {
    open();
    set_log_callback({});
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void wait_for_arrival() {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return arrived_; });
  }
  void open() {
    const std::scoped_lock lock{mutex_};
    open_ = true;
    changed_.notify_all();
  }
  std::vector<std::string> lines() {
    const std::scoped_lock lock{mutex_};
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool arrived_ = false;
  bool open_ = false;
  std::vector<std::string> lines_;
};

/// Checkpoints 1 to 4; then 1 is replaced by a directory, which cannot be removed like a file.
void make_stuck_run(const std::filesystem::path& directory) {
  Run run{directory, {.max_to_keep = std::nullopt}};
  for (int i = 1; i <= 4; ++i) {
    run.value = static_cast<float>(i);
    run.save();
  }
  std::filesystem::remove(directory / "ckpt-1.ckpt");
  std::filesystem::create_directory(directory / "ckpt-1.ckpt");
}

/// Whether a thread of this process waits for something.
bool is_asleep(pid_t thread) {
  std::ifstream stat{"/proc/self/task/" + std::to_string(thread) + "/stat"};
  std::string text;
  std::getline(stat, text);
  const std::size_t end = text.rfind(')');  // of the program's name
  return end != std::string::npos && text.substr(end, 3) == ") S";
}

std::string state_in(const std::filesystem::path& directory) {
  const Bytes bytes = read_file(directory / "ckpt.state");
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<std::filesystem::path> files(const TempDir& dir, std::initializer_list<int> numbers) {
  std::vector<std::filesystem::path> paths;
  for (const int number : numbers) paths.push_back(dir / ("ckpt-" + std::to_string(number) + ".ckpt"));
  return paths;
}

}  // namespace

TEST_CASE("a save does not wait for what it removes", "[manager][deletion]") {
  TempDir dir;
  make_stuck_run(dir.path());
  Run run{dir.path(), {.max_to_keep = 1}};
  run.manager.restore_or_initialize();
  Gate gate;
  const SaveResult result = run.manager.save(5);
  CHECK(result.deleted == files(dir, {1, 2, 3, 4}));
  gate.wait_for_arrival();
  // The first file holds the others up; the new one and the state that still lists all of them are there.
  CHECK(checkpoints_in(dir.path()).size() == 5);
  CHECK(contains(state_in(dir.path()), "held "));
  CHECK(contains(state_in(dir.path()), " ckpt-4.ckpt\nactive"));
  CHECK(run.manager.checkpoints() == files(dir, {5}));
  CHECK(run.manager.save(6).path == dir / "ckpt-6.ckpt");
  CHECK(checkpoints_in(dir.path()).size() == 6);
  for (int i = 1; i <= 6; ++i) CHECK(contains(state_in(dir.path()), " ckpt-" + std::to_string(i) + ".ckpt\n"));
  gate.open();
  run.manager.wait_for_deletions();
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-1.ckpt", "ckpt-6.ckpt"});
  REQUIRE(gate.lines().size() == 1);
  CHECK(contains(gate.lines()[0], "ckpt-1.ckpt"));
  // What could not be removed is tried again.
  CHECK(run.manager.checkpoints() == files(dir, {1, 6}));
  std::filesystem::remove(dir / "ckpt-1.ckpt");
  write_file(dir / "ckpt-1.ckpt", std::string_view{"a file again"});
  CHECK(run.save(7).deleted == files(dir, {1, 6}));
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-7.ckpt"});
  CHECK_FALSE(contains(state_in(dir.path()), "ckpt-5.ckpt"));
}

TEST_CASE("the end of a manager waits for what is being removed", "[manager][deletion]") {
  TempDir dir;
  {
    Run run{dir.path(), {.max_to_keep = std::nullopt}};
    for (int i = 0; i < 60; ++i) run.manager.save();
  }
  {
    Run run{dir.path(), {.max_to_keep = 1}};
    run.manager.restore_or_initialize();
    CHECK(run.manager.save(100).deleted.size() == 60);
  }
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-100.ckpt"});
}

TEST_CASE("a number that is being removed and is saved again stays", "[manager][deletion]") {
  TempDir dir;
  make_stuck_run(dir.path());
  Run run{dir.path(), {.max_to_keep = 2}};
  run.manager.restore_or_initialize();
  Gate gate;
  run.manager.save(5);
  gate.wait_for_arrival();
  run.value = 30.0F;
  run.manager.save(3);
  gate.open();
  run.manager.wait_for_deletions();
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-1.ckpt", "ckpt-3.ckpt", "ckpt-5.ckpt"});
  CHECK(scalar_in(dir / "ckpt-3.ckpt", "v") == 30);
  CHECK(run.manager.latest() == dir / "ckpt-3.ckpt");
}

TEST_CASE("numbers used again and again while they are removed", "[manager][deletion]") {
  TempDir dir;
  Run run{dir.path(), {.max_to_keep = 1}};
  for (int i = 0; i < 300; ++i) {
    const int number = i % 3;
    run.value = static_cast<float>(i);
    run.manager.save(number);
    REQUIRE(scalar_in(*run.manager.latest(), "v") == static_cast<float>(i));
  }
  run.manager.wait_for_deletions();
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-2.ckpt"});
}

TEST_CASE("a pin stops what has not begun", "[manager][deletion][pin]") {
  TempDir dir;
  make_stuck_run(dir.path());
  Run run{dir.path(), {.max_to_keep = 1}};
  run.manager.restore_or_initialize();
  Gate gate;
  run.manager.save(5);
  gate.wait_for_arrival();
  run.manager.pin(2);
  gate.open();
  run.manager.wait_for_deletions();
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-1.ckpt", "ckpt-2.ckpt", "ckpt-5.ckpt"});
  CKPT_CHECK_CODE(ErrorCode::not_found, run.manager.pin(3));
  run.save(6);
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-1.ckpt", "ckpt-2.ckpt", "ckpt-6.ckpt"});
}

TEST_CASE("a restore stops removals: the newest that is whole may be among them", "[manager][deletion][fallback]") {
  TempDir dir;
  make_stuck_run(dir.path());
  Run run{dir.path(), {.max_to_keep = 1}};
  run.manager.restore_or_initialize();
  Gate gate;
  run.manager.save(5);
  gate.wait_for_arrival();
  damage(dir / "ckpt-5.ckpt");
  // The restore waits for the file at work, after it has taken the others back.
  std::thread opener{[&, waiting = ::gettid()] {
    while (!is_asleep(waiting)) std::this_thread::yield();
    gate.open();
  }};
  const RestoreResult result = run.manager.restore_or_initialize();
  opener.join();
  CHECK(result.skipped.size() == 1);
  CHECK(result.path == dir / "ckpt-4.ckpt");
  CHECK(run.value.value() == 4);
  run.manager.wait_for_deletions();
  CHECK(checkpoints_in(dir.path()).size() == 5);
}

TEST_CASE("after a crash before the removals, the next manager judges anew", "[manager][deletion][kill]") {
  TempDir dir;
  make_stuck_run(dir.path());
  std::string before;
  {
    Run run{dir.path(), {.max_to_keep = 2}};
    run.manager.restore_or_initialize();
    Gate gate;
    run.manager.save(5);
    gate.wait_for_arrival();
    std::filesystem::copy(dir.path(), dir.path().string() + "-crashed", std::filesystem::copy_options::recursive);
  }
  const std::filesystem::path crashed = dir.path().string() + "-crashed";
  CHECK(checkpoints_in(crashed).size() == 5);
  {
    LogCapture log;
    Run run{crashed, {.max_to_keep = 4}};
    CHECK(log.warnings.empty());
    CHECK(run.manager.checkpoints().size() == 5);  // nothing is unknown
    CHECK(run.manager.latest() == crashed / "ckpt-5.ckpt");
    run.manager.restore_or_initialize();
    run.save(6);
  }
  CHECK(checkpoints_in(crashed) == Paths{"ckpt-1.ckpt", "ckpt-3.ckpt", "ckpt-4.ckpt", "ckpt-5.ckpt", "ckpt-6.ckpt"});
  std::filesystem::remove_all(crashed);
}

TEST_CASE("a reader is not disturbed by the removal of its file", "[manager][deletion]") {
  TempDir dir;
  const ReadMode mode = GENERATE(ReadMode::mmap, ReadMode::read);
  Run run{dir.path(), {.max_to_keep = 1}};
  run.value = 1.5F;
  const Reader reader = Reader::open(*run.save().path, {.mode = mode});
  run.value = 2.5F;
  run.save();
  REQUIRE(checkpoints_in(dir.path()) == Paths{"ckpt-2.ckpt"});
  const TensorView view = reader.tensor("v");
  CHECK(view.as<float>()[0] == 1.5F);
  CHECK(reader.verify().problems.empty());
}
