// One test a code: what a program branches on, and what a person reads.
#include "os/directory.hpp"

#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/errors.hpp>
#include <support/file_image.hpp>
#include <support/files.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <cerrno>
#include <limits>
#include <string>

using namespace ckpt;
using namespace ckpt::test;

namespace {

// All that is known is in the message, on one line.
void check_message(const Error& error) {
  const std::string text = error.what();
  const ErrorDetails& details = error.details();
  CHECK_FALSE(details.problem.empty());
  for (const std::string& part :
       {details.problem, details.file.native(), details.object, details.expected, details.found, details.advice}) {
    CHECK(contains(text, part));
  }
  if (details.system_error != 0) CHECK(contains(text, "errno " + std::to_string(details.system_error)));
  if (details.offset) CHECK(contains(text, "offset 0x"));
  CHECK_FALSE(contains(text, "\n"));
}

}  // namespace

TEST_CASE("invalid_argument: the call is wrong") {
  const TempDir dir;
  Writer writer{dir / "a.ckpt"};
  const Bytes data(3);
  CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, writer.add("net/kernel", DType::f32, {2, 2}, data));
  check_message(error);
  CHECK(error.details().object == "net/kernel");
  CHECK(contains(error.details().expected, "16"));
  CHECK(contains(error.details().found, "3"));
}

TEST_CASE("not_found: no such file, no such tensor") {
  const TempDir dir;
  CKPT_REQUIRE_ERROR(error, ErrorCode::not_found, Reader::open(dir / "absent.ckpt"));
  check_message(error);
  CHECK(error.details().file == dir / "absent.ckpt");
  CHECK(error.details().system_error == ENOENT);
  CHECK_FALSE(error.details().advice.empty());
  write_sample(dir / "a.ckpt");
  CKPT_REQUIRE_ERROR(tensor, ErrorCode::not_found, Reader::open(dir / "a.ckpt").tensor("all/f33"));
  check_message(tensor);
  CHECK(tensor.details().file == dir / "a.ckpt");
  CHECK(tensor.details().object == "all/f33");
  CHECK(contains(tensor.what(), "all/f32"));
}

TEST_CASE("already_exists: a name that must be new is taken") {
  const TempDir dir;
  Writer writer{dir / "a.ckpt"};
  writer.add("net/kernel", DType::u8, {1}, Bytes(1));
  CKPT_REQUIRE_ERROR(error, ErrorCode::already_exists, writer.add("net/kernel", DType::u8, {1}, Bytes(1)));
  check_message(error);
  CHECK(error.details().object == "net/kernel");
}

TEST_CASE("busy: another writer holds the directory") {
  const TempDir dir;
  const os::Directory directory = os::Directory::open(dir.path());
  const os::DirectoryLock lock{directory, ".lock"};
  CKPT_REQUIRE_ERROR(error, ErrorCode::busy, os::DirectoryLock{directory, ".lock"});
  check_message(error);
  CHECK(error.details().file == dir / ".lock");
  CHECK(error.details().system_error != 0);
  CHECK_FALSE(error.details().advice.empty());
}

TEST_CASE("io: the system refused") {
  const TempDir dir;
  write_file(dir / "file", "x");
  CKPT_REQUIRE_ERROR(error, ErrorCode::io, Reader::open(dir / "file" / "a.ckpt"));
  check_message(error);
  CHECK(error.details().system_error == ENOTDIR);
  CHECK(contains(error.what(), "Not a directory"));
  CHECK_FALSE(error.details().advice.empty());
}

TEST_CASE("corrupt: the file is damaged") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  FileImage image{dir / "a.ckpt"};
  const auto offset = image.get<std::uint64_t>(image.tensor(image.find("w")) + at::kBlobOffset);
  image.set<std::uint8_t>(offset, 0);
  image.store(dir / "b.ckpt");
  const Reader reader = Reader::open(dir / "b.ckpt", {.verify = Verify::lazy});
  CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, reader.tensor("w"));
  check_message(error);
  CHECK(error.details().file == dir / "b.ckpt");
  CHECK(error.details().object == "w");
  CHECK(error.details().offset == offset);
  CHECK_FALSE(error.details().expected.empty());
  CHECK(contains(error.what(), "xxh3"));  // of what was found
  CHECK_FALSE(error.details().advice.empty());
}

TEST_CASE("unsupported: the file needs what this version lacks") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  FileImage image{dir / "a.ckpt"};
  image.set<std::uint16_t>(at::kMajor, 2);
  image.seal_header();
  image.store(dir / "b.ckpt");
  CKPT_REQUIRE_ERROR(error, ErrorCode::unsupported, Reader::open(dir / "b.ckpt"));
  check_message(error);
  CHECK(contains(error.what(), "version 2.0"));
  CHECK(error.details().offset == 8U);
  CHECK_FALSE(error.details().advice.empty());
}

TEST_CASE("limit: a documented limit, by its name") {
  const std::vector<std::int64_t> dims(kMaxRank + 1, 1);
  CKPT_REQUIRE_ERROR(error, ErrorCode::limit, Shape{std::span<const std::int64_t>{dims}});
  check_message(error);
  CHECK(contains(error.what(), "kMaxRank"));
  CHECK(contains(error.details().found, "9"));
}

TEST_CASE("mismatch: another dtype than the program asked for") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  const TensorView view = Reader::open(dir / "a.ckpt").tensor("all/bf16");
  CKPT_REQUIRE_ERROR(error, ErrorCode::mismatch, view.as<float>());
  check_message(error);
  CHECK(contains(error.details().expected, "f32"));
  CHECK(contains(error.details().found, "bf16"));
}

TEST_CASE("an error names the file as the caller wrote it") {
  const TempDir dir;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  write_sample("taken.ckpt");
  write_file("text", "a text");
  for (const std::filesystem::path& parent : {std::filesystem::path{}, std::filesystem::path{"."}, dir.path()}) {
    WriterOptions options = sample_options();
    options.replace = false;
    CKPT_REQUIRE_ERROR(taken, ErrorCode::already_exists, Writer(parent / "taken.ckpt", options).commit());
    CHECK(taken.details().file == parent / "taken.ckpt");
    CKPT_REQUIRE_ERROR(bad, ErrorCode::corrupt, Reader::open(parent / "text"));
    CHECK(bad.details().file == parent / "text");
    CKPT_REQUIRE_ERROR(absent, ErrorCode::not_found, Reader::open(parent / "absent"));
    CHECK(absent.details().file == parent / "absent");
  }
  std::filesystem::current_path(before);
}

TEST_CASE("a message names its file whole, however long its path is") {
  const TempDir dir;
  const auto file = dir / std::string(150, 'a') / std::string(150, 'b') / "step-4000.ckpt";
  CKPT_REQUIRE_ERROR(error, ErrorCode::not_found, Reader::open(file));
  check_message(error);
}
