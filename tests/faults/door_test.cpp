// The door itself: that faults strike where they should, and that what it tells is true.
#include "door.hpp"

#include "os/file.hpp"
#include "os/replacement_file.hpp"

#include <catch2/catch.hpp>
#include <support/child.hpp>
#include <support/errors.hpp>
#include <support/files.hpp>
#include <support/temp_dir.hpp>

#include <cerrno>

using namespace ckpt;
using namespace ckpt::test;
using door::Call;
using door::Effect;

namespace {

void save(const TempDir& dir) { os::write_file_atomically(dir / "a", to_bytes("hello"), true); }

std::vector<Call> calls_of(const std::vector<door::Event>& events) {
  std::vector<Call> calls;
  for (const auto& event : events) calls.push_back(event.call);
  return calls;
}

}  // namespace

TEST_CASE("the door records calls with their data") {
  const TempDir dir;
  {
    const door::Guard guard{{}, true};
    save(dir);
  }
  const auto events = door::events();
  CHECK(door::calls() == events.size());
  CHECK(door::struck().empty());
  const auto calls = calls_of(events);
  const std::vector<Call> wanted{Call::getpid, Call::open,  Call::fstatat, Call::getrandom, Call::openat,
                                 Call::fcntl,  Call::fstat, Call::fstatat, Call::getrlimit, Call::pwrite,
                                 Call::fsync,  Call::fstat, Call::fstatat, Call::renameat,  Call::fsync,
                                 Call::getpid, Call::close, Call::close};
  CHECK(calls == wanted);
  for (const auto& event : events) {
    if (event.call == Call::pwrite) CHECK(event.data == to_bytes("hello"));
    if (event.call == Call::renameat) CHECK(event.to == "a");
  }
  CHECK(read_file(dir / "a") == to_bytes("hello"));
}

TEST_CASE("the Nth call fails, once or for ever, alone or with all others") {
  const TempDir dir;
  const auto fails = [&](const door::Fault& fault) {
    const door::Guard guard{{fault}};
    const auto error = error_of([&] { save(dir); });
    return error ? error->details().system_error : 0;
  };
  CHECK(fails({.error = EIO, .kind = Call::pwrite}) == EIO);
  CHECK(calls_of(door::struck()) == std::vector{Call::pwrite});
  CHECK(fails({.error = EROFS, .nth = 4}) == EROFS);
  CHECK(calls_of(door::struck()) == std::vector{Call::openat});
  CHECK(fails({.error = ENOSPC, .nth = 9, .times = door::kForEver, .scope = door::Scope::all}) == ENOSPC);
  CHECK(calls_of(door::struck()) == std::vector{Call::pwrite, Call::unlinkat, Call::close, Call::close});
  CHECK(fails({.error = EINTR, .times = 3, .kind = Call::pwrite}) == 0);
  CHECK(door::struck().size() == 3);
  CHECK(fails({.effect = Effect::fail_after, .error = EIO, .kind = Call::renameat}) == EIO);
  CHECK(read_file(dir / "a") == to_bytes("hello"));
  CHECK(fails({.error = EIO, .nth = 100}) == 0);
  CHECK(door::fired(0) == 0);
}

TEST_CASE("short transfers move as much as they say") {
  const TempDir dir;
  for (const Effect effect : {Effect::one, Effect::half}) {
    const door::Guard guard{{{.effect = effect, .times = door::kForEver, .kind = Call::pwrite}}, true};
    save(dir);
    std::size_t total = 0;
    for (const auto& event : door::struck()) total += static_cast<std::size_t>(event.result);
    CHECK(door::struck().size() >= 3);
    CHECK(total <= 5);
    CHECK(read_file(dir / "a") == to_bytes("hello"));
  }
  const door::Guard guard{{{.effect = Effect::none, .times = door::kForEver, .kind = Call::getrandom}}};
  CKPT_CHECK_CODE(ErrorCode::io, save(dir));
}

TEST_CASE("a process is killed before, in the middle of, or after a call") {
  for (const auto& [kill, moved] : {std::pair{Effect::kill, 0U}, {Effect::kill_half, 2U}, {Effect::kill_after, 5U}}) {
    const TempDir dir;
    const auto run = [&, effect = kill]() -> std::string {
      const door::Guard guard{{{.effect = effect, .kind = Call::pwrite}}};
      save(dir);
      return "";
    };
    CHECK(run_child(run, SIGKILL).signal == SIGKILL);
    const auto names = names_in(dir.path());
    REQUIRE(names.size() == 1);
    CHECK(std::filesystem::file_size(dir / names[0]) == moved);
  }
}

TEST_CASE("a second fault counts from the first on") {
  const TempDir dir;
  const door::Guard guard{{{.error = EIO, .kind = Call::pwrite}, {.error = EIO, .kind = Call::close}}};
  CKPT_CHECK_CODE(ErrorCode::io, save(dir));
  CHECK(calls_of(door::struck()) == std::vector{Call::pwrite, Call::close});
}
