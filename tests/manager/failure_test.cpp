// Saves that fail when their file is in its place: a directory that cannot be synced. No file is lost from the list.
#include "run.hpp"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <optional>
#include <set>
#include <string>

using namespace ckpt;
using namespace ckpt::test;

namespace {

std::atomic<int> directories_until_failure{0};  // 1: the next sync of a directory fails; 0: none

}  // namespace

// Takes the place of the system's in this program.
extern "C" int fsync(int fd) {
  struct stat status{};
  const bool is_directory = ::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
  if (is_directory && directories_until_failure > 0 && --directories_until_failure == 0) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace {

SaveOptions durable() { return {}; }

std::set<std::string> listed(const Run& run) {
  std::set<std::string> names;
  for (const std::filesystem::path& path : run.manager.checkpoints()) names.insert(path.filename());
  return names;
}

std::set<std::string> there(const std::filesystem::path& directory) {
  const Paths names = checkpoints_in(directory);
  return {names.begin(), names.end()};
}

}  // namespace

TEST_CASE("a file whose directory could not be synced is in the list, and goes when its time comes",
          "[manager][failure]") {
  TempDir dir;
  const bool in_background = GENERATE(false, true);
  Run run{dir.path(), {.max_to_keep = 1}};
  run.save({.options = durable()});
  for (int i = 0; i < 3; ++i) {
    directories_until_failure = 1;
    std::optional<Error> error;
    if (in_background) {
      const AsyncSaveResult saved = run.manager.save_async({.options = durable()});
      error = error_of([&] { saved.pending.durable(); });
    } else {
      error = error_of([&] { run.save({.options = durable()}); });
    }
    REQUIRE(error);
    CHECK(contains(error->what(), "in its place"));
    CHECK(run.manager.latest()->filename() == "ckpt-" + std::to_string(i + 2) + ".ckpt");
    CHECK(listed(run) == there(dir.path()));
  }
  CHECK(there(dir.path()).size() == 4);
  run.save({.options = durable()});
  CHECK(there(dir.path()) == std::set<std::string>{"ckpt-5.ckpt"});
}

TEST_CASE("a number that is used again, and fails before or after its file is in its place", "[manager][failure]") {
  TempDir dir;
  Run run{dir.path(), {.max_to_keep = std::nullopt, .async = {.max_in_flight = 2}}};
  for (const int number : {1, 2}) run.save(number);
  SECTION("after") {
    directories_until_failure = 1;
    CHECK(code_of([&] { run.save({.number = 1, .options = durable()}); }) == ErrorCode::io);
    CHECK(run.manager.latest() == dir / "ckpt-1.ckpt");
  }
  SECTION("before") {
    Box box;
    run.checkpoint.track("box", box);
    {
      const Box gone = std::move(box);
    }
    CHECK(code_of([&] { run.save(1); }) == ErrorCode::invalid_argument);
    CHECK(run.manager.latest() == dir / "ckpt-2.ckpt");
  }
  SECTION("after, in the background, with another save behind it") {
    directories_until_failure = 1;
    const AsyncSaveResult failing = run.manager.save_async({.number = 1, .options = durable()});
    run.manager.save_async({.number = 3}).pending.durable();
    CHECK(code_of([&] { failing.pending.durable(); }) == ErrorCode::io);
    CHECK(run.manager.checkpoints() == std::vector{dir / "ckpt-2.ckpt", dir / "ckpt-1.ckpt", dir / "ckpt-3.ckpt"});
  }
  CHECK(listed(run) == there(dir.path()));
}
