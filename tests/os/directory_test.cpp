// Directories, locks and what dead writers leave behind.
#include "os/directory.hpp"

#include "base/text.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <support/child.hpp>
#include <support/errors.hpp>
#include <support/files.hpp>
#include <support/temp_dir.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;
using os::Directory;
using os::DirectoryLock;

TEST_CASE("a directory is opened, listed and changed") {
  const TempDir dir;
  const Directory directory = Directory::open(dir.path());
  CHECK(directory.list().empty());
  write_file(dir / "b", "2");
  write_file(dir / ".a", "1");
  auto names = directory.list();
  std::ranges::sort(names);
  CHECK(names == std::vector<std::string>{".a", "b"});
  CHECK(directory.list().size() == 2);  // and again
  CHECK(directory.exists("b"));
  CHECK_FALSE(directory.exists("c"));
  directory.rename("b", "c", dir / "c");
  CHECK(directory.exists("c"));
  directory.rename("c", ".a", dir / ".a");
  CHECK(read_file(dir / ".a") == to_bytes("2"));
  CHECK(directory.remove(".a"));
  CHECK_FALSE(directory.remove(".a"));
  directory.sync();
  CHECK(directory.list().empty());
}

TEST_CASE("errors of directories") {
  const TempDir dir;
  write_file(dir / "file", "x");
  CKPT_CHECK_CODE(ErrorCode::not_found, Directory::open(dir / "absent"));
  CKPT_REQUIRE_ERROR(error, ErrorCode::io, Directory::open(dir / "file"));
  CHECK(error.details().system_error == ENOTDIR);
  const Directory directory = Directory::open(dir.path());
  CKPT_CHECK_CODE(ErrorCode::io, directory.rename("absent", "b", dir / "b"));
  std::filesystem::create_directory(dir / "sub");
  CHECK(code_of([&] { directory.remove("sub"); }).has_value());
}

TEST_CASE("rename_to_new never replaces") {
  const TempDir dir;
  const Directory directory = Directory::open(dir.path());
  write_file(dir / "a", "1");
  write_file(dir / "b", "2");
  CKPT_REQUIRE_ERROR(error, ErrorCode::already_exists, directory.rename_to_new("a", "b", dir / "b"));
  CHECK(error.details().file == dir / "b");
  CHECK(error.details().problem == "a file of that name exists");
  CHECK(read_file(dir / "a") == to_bytes("1"));
  CHECK(read_file(dir / "b") == to_bytes("2"));
  directory.rename_to_new("a", "c", dir / "c");
  CHECK(names_in(dir.path()) == std::vector<std::string>{"b", "c"});
  CKPT_CHECK_CODE(ErrorCode::io, directory.rename_to_new("a", "d", dir / "d"));
}

TEST_CASE("create_all makes every parent, and is content with what is there") {
  const TempDir dir;
  Directory::create_all(dir / "a/b/c");
  CHECK(std::filesystem::is_directory(dir / "a/b/c"));
  Directory::create_all(dir / "a/b/c");
  Directory::create_all(dir / "a/d/");
  CHECK(std::filesystem::is_directory(dir / "a/d"));
  write_file(dir / "file", "x");
  CHECK(code_of([&] { Directory::create_all(dir / "file"); }).has_value());
  CHECK(code_of([&] { Directory::create_all(dir / "file/x"); }).has_value());
}

TEST_CASE("parents of paths") {
  CHECK(os::parent_of("a") == ".");
  CHECK(os::parent_of("a/b") == "a");
  CHECK(os::parent_of("/a") == "/");
  CHECK(os::parent_of("/a/b/c") == "/a/b");
  CHECK(os::parent_of("a/b/") == "a");
}

TEST_CASE("a directory has one holder of a lock in a process") {
  const TempDir dir;
  const Directory directory = Directory::open(dir.path());
  std::optional<DirectoryLock> lock{std::in_place, directory, "lock"};
  CKPT_CHECK_CODE(ErrorCode::busy, DirectoryLock(directory, "lock"));
  const Directory again = Directory::open(dir.path());
  CKPT_CHECK_CODE(ErrorCode::busy, DirectoryLock(again, "lock"));
  const DirectoryLock other{directory, "other"};
  // A POSIX lock would be lost here: another descriptor of the file is closed.
  read_file(dir / "lock");
  CKPT_CHECK_CODE(ErrorCode::busy, DirectoryLock(directory, "lock"));
  lock.reset();
  const DirectoryLock next{directory, "lock"};
}

TEST_CASE("a lock holds against another process, and dies with its holder") {
  const TempDir dir;
  const Directory directory = Directory::open(dir.path());
  {
    const DirectoryLock lock{directory, "lock"};
    const ChildResult refused = run_child([&]() -> std::string {
      const auto code = code_of([&] { DirectoryLock(Directory::open(dir.path()), "lock"); });
      return code == ErrorCode::busy ? "" : "not busy";
    });
    CHECK(refused.text == "");
  }
  const auto end_locked = [&]() -> std::string {
    const DirectoryLock lock{Directory::open(dir.path()), "lock"};
    ::kill(::getpid(), SIGKILL);
    return "alive";
  };
  CHECK(run_child(end_locked, SIGKILL).signal == SIGKILL);
  const DirectoryLock lock{directory, "lock"};
}

TEST_CASE("who holds a lock is told without taking it") {
  const TempDir dir;
  const Directory directory = Directory::open(dir.path());
  CHECK(os::lock_holder(directory, "lock") == os::LockHolder::unknown);
  CHECK(names_in(dir.path()).empty());
  {
    const DirectoryLock lock{directory, "lock"};
    CHECK(os::lock_holder(directory, "lock") == os::LockHolder::somebody);
    const ChildResult other = run_child([&]() -> std::string {
      const Directory again = Directory::open(dir.path());
      return os::lock_holder(again, "lock") == os::LockHolder::somebody ? "" : "not seen";
    });
    CHECK(other.text == "");
    CKPT_CHECK_CODE(ErrorCode::busy, DirectoryLock(directory, "lock"));
  }
  CHECK(os::lock_holder(directory, "lock") == os::LockHolder::nobody);
  const DirectoryLock next{directory, "lock"};
}

TEST_CASE("a lock file that is a link is not followed") {
  const TempDir dir;
  write_file(dir / "precious", "x");
  std::filesystem::create_symlink("precious", dir / "lock");
  CHECK(code_of([&] { DirectoryLock(Directory::open(dir.path()), "lock"); }) == ErrorCode::io);
}

TEST_CASE("names of temporaries are hidden, new each time, and short enough") {
  const std::string one = os::temporary_name("test-51.ckpt");
  CHECK(one.starts_with(".test-51.ckpt."));
  CHECK(one.ends_with(".tmp"));
  CHECK(one != os::temporary_name("test-51.ckpt"));
  CHECK(os::temporary_name(std::string(255, 'n')).size() <= 255);
}

TEST_CASE("a temporary's name that is cut has no half of a character") {
  for (const char* character : {"n", "\u00e9", "\u20ac", "\U0001f9ee"}) {
    for (const char* before : {"", "a", "ab", "abc"}) {
      std::string name = before;
      while (name.size() + std::strlen(character) <= 255) name += character;
      const std::string temporary = os::temporary_name(name);
      CAPTURE(temporary);
      CHECK(temporary.size() <= 255);
      CHECK(temporary.size() > 200);
      CHECK(base::is_utf8(temporary));
      CHECK(os::is_temporary_name(temporary));
    }
  }
  CHECK(os::is_temporary_name(os::temporary_name(std::string(255, '\x80'))));  // whatever the bytes are
}

TEST_CASE("stale temporaries are removed, and nothing else") {
  const TempDir dir;
  const Directory directory = Directory::open(dir.path());
  const std::string stale = os::temporary_name("a.ckpt");
  const std::string living = os::temporary_name("a.ckpt");
  write_file(dir / stale, "half");
  write_file(dir / living, "half");
  const std::vector<std::string> others{"a.ckpt",
                                        "a.ckpt.0123456789abcdef.tmp",
                                        ".a.ckpt.tmp",
                                        ".a.ckpt.0123456789abcdeg.tmp",
                                        ".a.ckpt.0123456789abcde.tmp",
                                        ".a.ckpt.0123456789ABCDEF.tmp",
                                        ".a.ckpt.0123456789abcdef.tmp2",
                                        ".hidden",
                                        ".tmp",
                                        ".0123456789abcdef.tmp"};
  for (const std::string& name : others) write_file(dir / name, "x");
  std::filesystem::create_directory(dir / ".d.0123456789abcdef.tmp");
  write_file(dir / "precious", "x");
  std::filesystem::create_symlink("precious", dir / ".l.0123456789abcdef.tmp");
  REQUIRE(::mkfifo((dir / ".p.0123456789abcdef.tmp").c_str(), 0600) == 0);

  const os::Descriptor held{::open((dir / living).c_str(), O_RDWR | O_CLOEXEC)};
  REQUIRE(os::try_lock(held.get()) == os::LockResult::held);
  const auto removed = os::remove_stale_temporaries(directory);
  CHECK(std::ranges::count(removed, stale) == 1);
  CHECK_FALSE(directory.exists(stale));
  CHECK(directory.exists(living));
  CHECK(directory.exists("precious"));
  CHECK(directory.exists(".d.0123456789abcdef.tmp"));
  for (const std::string& name : others) {
    INFO(name);
    CHECK(directory.exists(name));
  }
  CHECK(std::ranges::count(os::remove_stale_temporaries(directory), stale) == 0);
}
