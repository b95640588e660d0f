#include "os/directory_watch.hpp"

#include <catch2/catch.hpp>
#include <support/files.hpp>
#include <support/temp_dir.hpp>

#include <chrono>
#include <filesystem>
#include <string_view>

using namespace ckpt;
using namespace ckpt::test;
using std::chrono::hours;
using std::chrono::milliseconds;

// A wait for an hour that does not end is a test that fails by its limit.

TEST_CASE("a name that appears ends a wait, also one that appeared before it", "[watch]") {
  const TempDir dir;
  os::DirectoryWatch watch{dir.path()};
  REQUIRE(watch.is_live());
  write_file(dir / "a", std::string_view{"x"});
  watch.wait(hours{1});
  std::filesystem::rename(dir / "a", dir / "b");
  watch.wait(hours{1});
  watch.wait(milliseconds{1});  // nothing came: the time ends it
  CHECK(watch.is_live());
}

TEST_CASE("a directory that goes ends a wait, and the watch", "[watch]") {
  const TempDir dir;
  std::filesystem::create_directory(dir / "run");
  os::DirectoryWatch watch{dir / "run"};
  REQUIRE(watch.is_live());
  SECTION("removed") { std::filesystem::remove(dir / "run"); }
  SECTION("renamed") { std::filesystem::rename(dir / "run", dir / "away"); }
  watch.wait(hours{1});
  CHECK_FALSE(watch.is_live());
  watch.wait(milliseconds{1});
}

TEST_CASE("what is no directory cannot be watched", "[watch]") {
  const TempDir dir;
  write_file(dir / "file", std::string_view{"x"});
  CHECK_FALSE(os::DirectoryWatch{dir / "none"}.is_live());
  CHECK_FALSE(os::DirectoryWatch{dir / "file"}.is_live());
}
