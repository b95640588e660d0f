// Files and mappings.
#include "os/file.hpp"

#include "os/mapping.hpp"
#include "os/system_error.hpp"

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
#include <csignal>
#include <set>
#include <string>
#include <utility>

using namespace ckpt;
using namespace ckpt::test;
using os::Descriptor;
using os::File;
using os::Mapping;

TEST_CASE("a descriptor closes itself once") {
  const auto is_open = [](int fd) { return ::fcntl(fd, F_GETFD) >= 0; };
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  {
    Descriptor one{fd};
    Descriptor two{std::move(one)};
    CHECK(two.get() == fd);
    Descriptor three;
    CHECK_FALSE(three.is_open());
    three = std::move(two);
    Descriptor& itself = three;
    three = std::move(itself);
    CHECK(three.get() == fd);
    CHECK(is_open(fd));
  }
  CHECK_FALSE(is_open(fd));
  const int other = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  Descriptor kept{other};
  CHECK(kept.release() == other);
  kept.reset();
  CHECK(is_open(other));
  ::close(other);
}

TEST_CASE("a file is read at any offset") {
  const TempDir dir;
  const Bytes data = random_bytes(100'000, 1);
  write_file(dir / "a", data);
  const File file = File::open(dir / "a");
  CHECK(file.size() == data.size());
  CHECK(file.path() == dir / "a");
  CHECK_FALSE(file.is_remote());
  Bytes part(5000);
  file.read_at(777, part);
  CHECK(std::equal(part.begin(), part.end(), data.begin() + 777));
  file.read_at(data.size(), {});
  CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, file.read_at(data.size() - 100, part));
  CHECK(error.details().offset == data.size());
  CHECK(error.details().file == dir / "a");
}

TEST_CASE("a file that was truncated meanwhile is an error, not a signal") {
  const TempDir dir;
  write_file(dir / "a", random_bytes(100'000, 1));
  const File file = File::open(dir / "a");
  std::filesystem::resize_file(dir / "a", 10);
  Bytes part(5000);
  CKPT_CHECK_CODE(ErrorCode::corrupt, file.read_at(50'000, part));
}

TEST_CASE("what is no regular file is refused, and a pipe does not stop the process") {
  const TempDir dir;
  const auto said = [](const std::filesystem::path& path, ErrorCode code) {
    CKPT_REQUIRE_ERROR(error, code, File::open(path));
    return error.details().problem;
  };
  CHECK(said(dir / "absent", ErrorCode::not_found) == "no such file");
  std::filesystem::create_symlink("absent", dir / "link");
  CHECK(said(dir / "link", ErrorCode::not_found) == "a symbolic link whose target is missing");
  CHECK(said(dir.path(), ErrorCode::invalid_argument) == "this is a directory, not a file");
  REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
  CHECK(said(dir / "pipe", ErrorCode::invalid_argument) == "not a regular file");
  CHECK(said("/dev/zero", ErrorCode::invalid_argument) == "not a regular file");
}

TEST_CASE("small files are read whole, up to a limit") {
  const TempDir dir;
  write_file(dir / "a", "hello");
  CHECK(os::read_small_file(dir / "a", 5) == "hello");
  CHECK(os::read_small_file(dir / "absent", 5) == std::nullopt);
  CKPT_REQUIRE_ERROR(error, ErrorCode::limit, os::read_small_file(dir / "a", 4));
  CHECK(contains(error.what(), "4 bytes"));
  write_file(dir / "empty", "");
  CHECK(os::read_small_file(dir / "empty", 5) == "");
}

TEST_CASE("random bytes are random") {
  std::set<Bytes> seen;
  for (int i = 0; i < 100; ++i) {
    Bytes bytes(16);
    os::fill_random(bytes);
    CHECK(seen.insert(bytes).second);
  }
  Bytes large(100'000);
  os::fill_random(large);
  CHECK(std::ranges::count(large, std::byte{0}) < 1000);
}

TEST_CASE("a mapping outlives the file's descriptor and name") {
  const TempDir dir;
  const Bytes data = random_bytes(10'000, 1);
  write_file(dir / "a", data);
  const Mapping mapping = [&] { return Mapping{File::open(dir / "a"), Mapping::Kind::shared_read_only}; }();
  std::filesystem::remove(dir / "a");
  CHECK(to_vector(mapping.bytes()) == data);
}

TEST_CASE("a private mapping takes writes that nobody else sees") {
  const TempDir dir;
  const Bytes data = random_bytes(10'000, 1);
  write_file(dir / "a", data);
  const File file = File::open(dir / "a");
  const Mapping one{file, Mapping::Kind::private_writable};
  const Mapping two{file, Mapping::Kind::shared_read_only};
  one.data()[5] ^= std::byte{0xff};
  CHECK(two.bytes()[5] == data[5]);
  CHECK(read_file(dir / "a") == data);
}

TEST_CASE("a shared mapping cannot be written through") {
  const TempDir dir;
  write_file(dir / "a", random_bytes(10'000, 1));
  const ChildResult result = run_child([&]() -> std::string {
    ::signal(SIGSEGV, SIG_DFL);  // a sanitizer's own handler would report it
    const Mapping mapping{File::open(dir / "a"), Mapping::Kind::shared_read_only};
    *const_cast<volatile std::byte*>(mapping.data()) = std::byte{1};
    return "written";
  });
  CHECK(result.signal == SIGSEGV);
}

TEST_CASE("errno becomes a code and advice") {
  const auto error = [](int number) {
    return *error_of([&] { os::throw_system_error(number, "cannot write", "a.ckpt", 12); });
  };
  CHECK(error(ENOENT).code() == ErrorCode::not_found);
  CHECK(error(EEXIST).code() == ErrorCode::already_exists);
  for (const int number :
       {ENOSPC, EDQUOT, EACCES, EPERM, EROFS, EMFILE, ENFILE, EIO, EISDIR, ENOTDIR, ENAMETOOLONG, ENOMEM, EFBIG}) {
    const Error one = error(number);
    INFO(one.what());
    CHECK(one.code() == ErrorCode::io);
    CHECK(one.details().system_error == number);
    CHECK(one.details().offset == 12U);
    CHECK(one.details().file == "a.ckpt");
    CHECK_FALSE(one.details().advice.empty());
  }
}
