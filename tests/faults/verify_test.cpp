// Verification tells what is damaged in a report. A file that cannot be read is no damage, and an error; so it is when
// the file shall be in memory before it is used.
#include "door.hpp"

#include <ckpt/reader.hpp>

#include <catch2/catch.hpp>
#include <support/errors.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

// An index with so many pages that their sums are longer than what opening reads.
void write_many(const std::filesystem::path& path) {
  Writer writer{path, sample_options()};
  const std::string name(200, 't');
  for (int i = 0; i < 30'000; ++i) writer.add(name + std::to_string(100'000 + i), DType::u8, {0}, {});
  writer.commit();
}

// Verifies a file that was opened in that mode, and then perhaps removed, while read N fails, for N = 1, 2, 3, … until
// there is none. Returns how many there were.
std::uint64_t strike_reads(ReadMode mode, bool removed) {
  for (std::uint64_t nth = 1;; ++nth) {
    const TempDir dir;
    removed ? write_many(dir / "a.ckpt") : write_sample(dir / "a.ckpt");
    const Reader reader = Reader::open(dir / "a.ckpt", {.mode = mode});
    if (removed) std::filesystem::remove(dir / "a.ckpt");
    std::optional<VerifyReport> report;
    std::optional<Error> error;
    {
      const door::Guard guard{{{.error = EIO, .nth = nth, .kind = door::Call::pread}}};
      error = error_of([&] { report = reader.verify({.threads = 1}); });
    }
    INFO("read " << nth);
    if (door::fired(0) == 0) {
      REQUIRE(report);
      CHECK(report->ok());
      return nth - 1;
    }
    REQUIRE(error);
    CHECK(error->code() == ErrorCode::io);
    CHECK(error->details().system_error == EIO);
    CHECK(error->details().file == dir / "a.ckpt");
  }
}

// The same while the whole file is prefaulted, and the kernel says of each part that it could not load it.
std::uint64_t strike_prefaults() {
  for (std::uint64_t nth = 1;; ++nth) {
    const TempDir dir;
    write_sample(dir / "a.ckpt");
    const Reader reader = Reader::open(dir / "a.ckpt", {.mode = ReadMode::mmap, .threads = 1});
    std::vector<std::size_t> all(reader.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    std::optional<Error> error;
    {
      const door::Guard guard{{{.error = EFAULT, .times = door::kForEver, .kind = door::Call::madvise},
                               {.error = EIO, .nth = nth, .kind = door::Call::pread}}};
      error = error_of([&] { reader.prefault(all); });
    }
    INFO("read " << nth);
    REQUIRE(door::fired(0) > 0);
    CHECK(error.has_value() == (door::fired(1) > 0));
    if (!error) return nth - 1;
    CHECK(error->code() == ErrorCode::io);
    CHECK(error->details().system_error == EIO);
  }
}

// What a mapping cannot load is read, which tells why: at the first touch it would be a signal.
void use_what_cannot_be_loaded(const std::function<void(const Reader&)>& use) {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  const Reader reader = Reader::open(dir / "a.ckpt", {.mode = ReadMode::mmap, .verify = Verify::lazy});
  use(reader);  // the index is known from here on
  for (const bool fails : {false, true}) {
    std::vector<door::Fault> faults{{.error = EFAULT, .times = door::kForEver, .kind = door::Call::madvise}};
    if (fails) faults.push_back({.error = EIO, .times = door::kForEver, .kind = door::Call::pread});
    const door::Guard guard{faults};
    const auto error = error_of([&] { use(reader); });
    REQUIRE(error.has_value() == fails);
    if (fails) CHECK(error->details().system_error == EIO);
  }
}

}  // namespace

TEST_CASE("a read that fails while a file is verified is an error") {
  CHECK(strike_reads(ReadMode::mmap, false) > 30);  // header, footer, index, each blob, padding
  CHECK(strike_reads(ReadMode::read, false) > 30);
  CHECK(strike_reads(ReadMode::mmap, true) > 0);  // of sums alone: all else is mapped
}

TEST_CASE("a read that fails while a file is prefaulted is an error") { CHECK(strike_prefaults() > 10); }

TEST_CASE("what a mapping cannot load is an error where it is copied or checked") {
  use_what_cannot_be_loaded([](const Reader& reader) { static_cast<void>(reader.tensor("w")); });
  use_what_cannot_be_loaded([](const Reader& reader) {
    const std::size_t index = *reader.find("w");
    Bytes memory(reader.info(index).size_bytes);
    reader.read_into(index, memory);
  });
}
