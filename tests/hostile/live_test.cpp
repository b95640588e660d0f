// Files that change while they are in use, and memory of others that must not get into a file.
#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <malloc.h>
#include <support/errors.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>
#include <unistd.h>

#include <filesystem>

using namespace ckpt;
using namespace ckpt::test;

namespace {

// Without a new file in its place, as no writer of this library does it.
void overwrite(const std::filesystem::path& path, std::uint64_t offset, std::span<const std::byte> bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  CHECK(::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes.size()));
  ::close(fd);
}

}  // namespace

TEST_CASE("what was read and checked does not change with the file") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  const Reader reader = Reader::open(dir / "a.ckpt", {.mode = ReadMode::read, .verify = Verify::lazy});
  const TensorView view = reader.tensor("large");
  const Bytes before = bytes_of(view);
  overwrite(dir / "a.ckpt", reader.info(*reader.find("large")).offset, Bytes(1024));
  CHECK(bytes_of(view) == before);
  CKPT_CHECK_CODE(ErrorCode::corrupt, reader.tensor("large"));
  // A copy out of the mapping is checked, not the mapping that was copied.
  const Reader mapped = Reader::open(dir / "a.ckpt", {.mode = ReadMode::mmap, .verify = Verify::lazy});
  Bytes memory(1024);
  CKPT_CHECK_CODE(ErrorCode::corrupt, mapped.read_into(*mapped.find("large"), memory));
}

TEST_CASE("a file that is cut off while it is open is an error where it is read") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  const Reader reader = Reader::open(dir / "a.ckpt", {.mode = ReadMode::read});
  std::filesystem::resize_file(dir / "a.ckpt", 100);
  CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, reader.tensor("large"));
  CHECK(contains(error.what(), "the file ends early"));
  CHECK_FALSE(reader.verify().ok());
}

TEST_CASE("verify reports a header or footer that changed while the file is open") {
  constexpr std::uint64_t kEnd = 64;  // bytes of each
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  const Bytes whole = read_file(dir / "a.ckpt");
  for (const ReadMode mode : {ReadMode::mmap, ReadMode::read}) {
    const Reader reader = Reader::open(dir / "a.ckpt", {.mode = mode});
    for (std::uint64_t i = 0; i < 2 * kEnd; ++i) {
      const std::uint64_t offset = i < kEnd ? i : whole.size() - 2 * kEnd + i;
      const std::byte flipped = ~whole[offset];
      overwrite(dir / "a.ckpt", offset, {&flipped, 1});
      INFO("byte " << offset);
      CHECK_FALSE(reader.verify().ok());
      overwrite(dir / "a.ckpt", offset, {&whole[offset], 1});
    }
    CHECK(reader.verify().ok());
  }
}

TEST_CASE("a file that another takes the place of is read to its end") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  for (const ReadMode mode : {ReadMode::mmap, ReadMode::read}) {
    const Reader reader = Reader::open(dir / "a.ckpt", {.mode = mode});
    {
      Writer writer{dir / "b.ckpt", sample_options()};
      writer.commit();
    }
    std::filesystem::copy_file(dir / "a.ckpt", dir / "kept.ckpt", std::filesystem::copy_options::overwrite_existing);
    std::filesystem::rename(dir / "b.ckpt", dir / "a.ckpt");
    CHECK(reader.verify().ok());
    CHECK(Reader::open(dir / "a.ckpt").size() == 0);
    std::filesystem::rename(dir / "kept.ckpt", dir / "a.ckpt");
  }
}

TEST_CASE("what memory held before does not get into a file") {
  const TempDir dir;
  // glibc then fills memory that it gives out, and that it gets back; sanitizers do so by themselves.
  for (const int filler : {0x55, 0xaa}) {
    ::mallopt(M_PERTURB, filler);
    write_sample(dir / std::to_string(filler));
  }
  ::mallopt(M_PERTURB, 0);
  CHECK(read_file(dir / "85") == read_file(dir / "170"));
  CHECK(Reader::open(dir / "85").verify().ok());  // padding is zero
}
