// Evaluation jobs that follow a training.
#include "run.hpp"

#include <ckpt/watch.hpp>

#include <support/child.hpp>

#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

namespace {

// Long enough that a test which needs it to end has failed.
constexpr minutes kFailed{5};

}  // namespace

TEST_CASE("a checkpoint that is there is new to who has seen none, or another", "[manager][watch]") {
  TempDir dir;
  Run run{dir.path()};
  run.save();
  run.save();
  CHECK(wait_for_new_checkpoint(dir.path()) == dir / "ckpt-2.ckpt");
  CHECK(wait_for_new_checkpoint(dir.path(), dir / "ckpt-1.ckpt") == dir / "ckpt-2.ckpt");
}

TEST_CASE("waiting ends when the time is over", "[manager][watch]") {
  TempDir dir;
  CHECK(!wait_for_new_checkpoint(dir / "none", {}, {.timeout = milliseconds{30}}));
  CHECK(!wait_for_new_checkpoint(dir.path(), {}, {.timeout = milliseconds{0}}));
  CHECK(!wait_for_new_checkpoint(dir.path(), {}, {.timeout = milliseconds{-5}}));
  Run run{dir.path()};
  run.save();
  CHECK(!wait_for_new_checkpoint(dir.path(), dir / "ckpt-1.ckpt", {.timeout = milliseconds{30}}));
  CHECK(!wait_for_new_checkpoint(dir.path(), {}, {.name = "other", .timeout = milliseconds{1}}));
  CHECK(wait_for_new_checkpoint(dir.path(), {}, {.timeout = milliseconds{0}}) == dir / "ckpt-1.ckpt");
}

TEST_CASE("a new checkpoint ends the wait, also in a directory that is new", "[manager][watch]") {
  TempDir dir;
  const bool exists = GENERATE(true, false);
  if (exists) Run{dir / "run"}.save();
  const std::optional<std::filesystem::path> last = exists ? std::optional{dir / "run/ckpt-1.ckpt"} : std::nullopt;
  std::thread saver{[&] {
    std::this_thread::sleep_for(milliseconds{50});
    Run run{dir / "run"};
    static_cast<void>(run.manager.restore_or_initialize());
    run.save();
  }};
  // With so long an interval only the system's word can end it, where the directory is there from the start.
  const Seconds poll = exists ? Seconds{hours{1}} : Seconds{milliseconds{5}};
  const auto found = wait_for_new_checkpoint(dir / "run", last, {.timeout = kFailed, .poll_interval = poll});
  saver.join();
  CHECK(found == dir / (exists ? "run/ckpt-2.ckpt" : "run/ckpt-1.ckpt"));
}

TEST_CASE("a directory that is replaced by another is followed", "[manager][watch]") {
  TempDir dir;
  Run{dir / "run"}.save();
  Run{dir / "other"}.save(7);
  std::thread mover{[&] {
    std::this_thread::sleep_for(milliseconds{50});
    std::filesystem::rename(dir / "run", dir / "away");
    std::filesystem::rename(dir / "other", dir / "run");
  }};
  const auto found = wait_for_new_checkpoint(dir / "run", dir / "run/ckpt-1.ckpt",
                                             {.timeout = kFailed, .poll_interval = milliseconds{5}});
  mover.join();
  CHECK(found == dir / "run/ckpt-7.ckpt");
}

TEST_CASE("an evaluator in another process sees the last, whatever is rotated away", "[manager][watch][processes]") {
  TempDir dir;
  Process training{[&] {
    Run run{dir / "run", {.max_to_keep = 1}};
    for (int i = 1; i <= 40; ++i) {
      run.value = static_cast<float>(i);
      run.manager.save();
    }
  }};
  float last = 0;
  int read = 0;
  for (const auto& path : NewCheckpoints{dir / "run", {.timeout = kFailed, .poll_interval = milliseconds{1}}}) {
    try {
      const Reader reader = Reader::open(path);
      std::this_thread::yield();
      CHECK(reader.verify().problems.empty());  // also when it is rotated away meanwhile
      const TensorView view = reader.tensor("v");
      const float value = view.as<float>()[0];
      CHECK(value > last);
      last = value;
      ++read;
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::not_found);
    }
    if (path.filename() == "ckpt-40.ckpt") break;
  }
  CHECK(last == 40);
  CHECK(read >= 1);
  CHECK(training.exit_status() == 0);
}

TEST_CASE("a manager in another process holds the directory until it dies", "[manager][lock][processes]") {
  TempDir dir;
  Process training{[&] {
    Run run{dir / "run"};
    run.save();
    ::pause();
  }};
  REQUIRE(wait_for_new_checkpoint(dir / "run", {}, {.timeout = kFailed, .poll_interval = milliseconds{1}}));
  CKPT_CHECK_CODE(ErrorCode::busy, Run(dir / "run"));
  CHECK(latest_checkpoint(dir / "run") == dir / "run/ckpt-1.ckpt");
  training.end();
  Run run{dir / "run"};
  CHECK(run.manager.restore_or_initialize().path == dir / "run/ckpt-1.ckpt");
  CHECK(run.save().path == dir / "run/ckpt-2.ckpt");
}

TEST_CASE("each new checkpoint once, and the end when the time is over", "[manager][watch]") {
  TempDir dir;
  Run run{dir.path()};
  run.save();
  NewCheckpoints news{dir.path(), {.timeout = milliseconds{10}}};
  CHECK(news.next() == dir / "ckpt-1.ckpt");
  run.save();
  run.save();
  CHECK(news.next() == dir / "ckpt-3.ckpt");
  CHECK(!news.next());
  run.save();
  CHECK(!news.next());  // it has ended
}

TEST_CASE("a function decides whether a timeout is the end", "[manager][watch]") {
  TempDir dir;
  Run run{dir.path()};
  int asked = 0;
  const auto decide = [&] {
    ++asked;
    if (asked == 2 || asked == 3) run.save();
    return asked == 5;
  };
  Paths seen;
  for (const auto& path : NewCheckpoints{dir.path(), {.timeout = milliseconds{1}, .timeout_fn = decide}}) {
    seen.push_back(path.filename());
  }
  CHECK(seen == Paths{"ckpt-1.ckpt", "ckpt-2.ckpt"});
  CHECK(asked == 5);
}

TEST_CASE("between two checkpoints lies the least interval", "[manager][watch]") {
  TempDir dir;
  Run run{dir.path()};
  run.save();
  constexpr milliseconds kInterval{40};
  NewCheckpoints news{dir.path(), {.min_interval = kInterval, .timeout = kFailed}};
  const auto start = std::chrono::steady_clock::now();
  REQUIRE(news.next());
  run.save();
  REQUIRE(news.next());
  CHECK(std::chrono::steady_clock::now() - start >= kInterval);  // a bound that a busy machine cannot break
}

TEST_CASE("waits that make no sense are refused", "[manager][watch]") {
  TempDir dir;
  const Seconds nan{std::numeric_limits<double>::quiet_NaN()};
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, wait_for_new_checkpoint(dir.path(), {}, {.poll_interval = Seconds{0}}));
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, wait_for_new_checkpoint(dir.path(), {}, {.timeout = nan}));
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, wait_for_new_checkpoint(dir.path(), {}, {.name = "a/b"}));
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, NewCheckpoints(dir.path(), {.name = ""}));
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, NewCheckpoints(dir.path(), {.min_interval = nan}));
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, NewCheckpoints(dir.path(), {.poll_interval = -Seconds{1}}));
}
