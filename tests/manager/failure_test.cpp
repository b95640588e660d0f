// Saves that fail half way: a directory that cannot be synced, memory that ends. No file is lost from the list.
#include "run.hpp"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <string_view>

using namespace ckpt;
using namespace ckpt::test;

namespace {

std::atomic<int> directories_until_failure{0};  // 1: the next sync of a directory fails; 0: none
long allocations_after_rename = 0;              // the n-th after a checkpoint was renamed fails; 0: none
thread_local long allocations_until_failure = 0;
void (*volatile const release)(void*) = std::free;  // GCC must not see that memory of `new` is freed

}  // namespace

// These take the place of the system's and the compiler's in this program.
extern "C" int fsync(int fd) {
  struct stat status{};
  const bool is_directory = ::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
  if (is_directory && directories_until_failure > 0 && --directories_until_failure == 0) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

extern "C" int renameat2(int from_fd, const char* from, int to_fd, const char* to, unsigned flags) {
  if (std::string_view{to}.ends_with(".ckpt")) allocations_until_failure = allocations_after_rename;
  return static_cast<int>(::syscall(SYS_renameat2, from_fd, from, to_fd, to, flags));
}

void* operator new(std::size_t size) {
  if (allocations_until_failure > 0 && --allocations_until_failure == 0) throw std::bad_alloc{};
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }

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

TEST_CASE("memory that ends when the file is in its place leaves no file that is not in the list",
          "[manager][failure]") {
  TempDir dir;
  Run run{dir.path(), {.max_to_keep = 2, .keep_best = {{.metric = "loss"}}}};
  SaveOptions options = quick();
  options.writer.metrics = {{"loss", 1}};
  int failures = 0;
  for (long nth = 1;; ++nth) {
    run.value = static_cast<float>(nth);
    allocations_after_rename = nth;
    bool failed = false;
    try {
      run.manager.save(options);
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    const bool reached = allocations_until_failure == 0;
    allocations_after_rename = allocations_until_failure = 0;
    failures += static_cast<int>(failed);
    INFO("allocation " << nth);
    run.manager.wait_for_deletions();
    REQUIRE(listed(run) == there(dir.path()));
    if (!reached) break;
    run.save();  // or the list grows with each failure, and with it what a save allocates
  }
  CHECK(failures > 10);
  run.save();
  CHECK(there(dir.path()).size() == 2);
}
