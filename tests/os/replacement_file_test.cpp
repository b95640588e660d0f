// New files that appear whole or not at all, whatever the sizes of the pieces.
#include "os/replacement_file.hpp"

#include "os/block_writer.hpp"
#include "os/directory.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <support/child.hpp>
#include <support/errors.hpp>
#include <support/files.hpp>
#include <support/temp_dir.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;
using os::BlockWriter;
using os::ReplacementFile;

TEST_CASE("pieces of any size make the file") {
  const TempDir dir;
  constexpr std::size_t kBlock = BlockWriter::kBlockBytes;
  std::mt19937 random{5};
  for (const bool durable : {true, false}) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{4096}, kBlock - 1, kBlock, kBlock + 1,
                                   5 * kBlock + 4095, 9 * kBlock}) {
      const Bytes data = random_bytes(size, size);
      ReplacementFile file{dir / "a", {.durable = durable, .expected_bytes = size / 2}};
      for (std::size_t done = 0; done < size;) {
        const std::size_t part = std::min<std::size_t>(random() % 2'000'000, size - done);
        file.append(std::span{data}.subspan(done, part));
        done += part;
      }
      CHECK(file.size() == size);
      CHECK(temporaries_in(dir.path()) == 1);
      file.commit(true);
      CHECK(names_in(dir.path()) == std::vector<std::string>{"a"});
      CHECK(read_file(dir / "a") == data);
    }
  }
}

TEST_CASE("zeros between pieces") {
  const TempDir dir;
  for (const bool durable : {true, false}) {
    Bytes wanted;
    ReplacementFile file{dir / "a", {.durable = durable}};
    for (const std::size_t size : {1U, 300'000U, 5U, 4'194'304U, 77U, 1'000'000U}) {
      const Bytes data = random_bytes(size, size);
      file.append(data);
      file.append_zeros(size / 3);
      wanted.insert(wanted.end(), data.begin(), data.end());
      wanted.resize(wanted.size() + size / 3);
    }
    file.commit(true);
    CHECK(read_file(dir / "a") == wanted);
  }
}

namespace {

struct Pieces {
  std::size_t before;  // bytes in the file when they come
  std::size_t size;
  std::size_t piece_size;
};

void append_in_pieces(const TempDir& dir, const Pieces& pieces, const ReplacementFile::Options& options) {
  const Bytes before = random_bytes(pieces.before, 1);
  const Bytes data = random_bytes(pieces.size, 2);
  const Bytes after = random_bytes(77, 3);
  const std::size_t count = (pieces.size + pieces.piece_size - 1) / pieces.piece_size;
  std::vector<std::atomic<int>> calls(count);
  std::atomic<int> wrong = 0;
  ReplacementFile file{dir / "a", options};
  file.append(before);
  file.append_pieces(data, pieces.piece_size, [&](std::size_t i, std::span<const std::byte> piece) {
    ++calls.at(i);
    const std::size_t offset = i * pieces.piece_size;
    const bool right =
        piece.data() == data.data() + offset && piece.size() == std::min(pieces.piece_size, data.size() - offset);
    if (!right) ++wrong;
  });
  file.append(after);
  file.commit(true);
  INFO(pieces.before << " + " << pieces.size << " in pieces of " << pieces.piece_size << ", " << options.cores);
  CHECK(wrong == 0);
  CHECK(std::ranges::all_of(calls, [](const auto& times) { return times == 1; }));
  Bytes wanted = before;
  wanted.insert(wanted.end(), data.begin(), data.end());
  wanted.insert(wanted.end(), after.begin(), after.end());
  CHECK(read_file(dir / "a") == wanted);
}

}  // namespace

TEST_CASE("each piece is worked on once, wherever it lies") {
  const TempDir dir;
  constexpr std::size_t kBlock = BlockWriter::kBlockBytes;
  for (const std::size_t before : {std::size_t{0}, std::size_t{4096}, std::size_t{100}, kBlock - 4096, kBlock}) {
    for (const std::size_t size : {std::size_t{1}, kBlock - 1, kBlock, 5 * kBlock + 100}) {
      for (const std::size_t piece_size : {std::size_t{64}, kBlock / 16, kBlock, 4 * kBlock}) {
        if (size / piece_size > 1000) continue;
        append_in_pieces(dir, {before, size, piece_size}, {.cores = 3});
      }
    }
  }
  append_in_pieces(dir, {4096, 30 * kBlock + 5, kBlock}, {.cores = 1});
  append_in_pieces(dir, {4096, 30 * kBlock + 5, kBlock}, {.expected_bytes = kBlock, .cores = 100});
}

TEST_CASE("so are pieces of what need not be durable") {
  const TempDir dir;
  constexpr std::size_t kPiece = std::size_t{1} << 20U;
  for (const std::size_t before : {std::size_t{0}, std::size_t{100}, kPiece}) {
    for (const std::size_t size : {std::size_t{1}, kPiece, 3 * kPiece + 100}) {
      for (const std::size_t piece_size : {std::size_t{4096}, kPiece, 4 * kPiece}) {
        append_in_pieces(dir, {before, size, piece_size}, {.durable = false, .cores = 3});
      }
    }
  }
}

TEST_CASE("who lent memory has it back when the call is over, also by an error") {
  const TempDir dir;
  constexpr std::size_t kBlock = BlockWriter::kBlockBytes;
  for (const bool fails : {false, true}) {
    // What is left over is worked on by the caller, after the others began.
    const Bytes data = random_bytes(8 * kBlock + (fails ? 1 : 0), 1);
    std::atomic<bool> is_over = false;
    std::atomic<int> late = 0;
    const BlockWriter::Work work = [&](std::size_t, std::span<const std::byte> piece) {
      if (piece.size() < kBlock) throw std::runtime_error{"the last piece"};
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
      if (is_over) ++late;
    };
    {
      ReplacementFile file{dir / "a", {.cores = 2}};
      if (fails) CHECK_THROWS_AS(file.append_pieces(data, kBlock, work), std::runtime_error);
      if (!fails) file.append_pieces(data, kBlock, work);
      is_over = true;
    }
    CHECK(late == 0);
  }
}

TEST_CASE("the limit of the process on sizes of files is met without a signal") {
  const TempDir dir;
  constexpr std::uint64_t kLimit = 5'000'000;
  constexpr std::size_t kPiece = std::size_t{64} << 10U;
  const Bytes data = random_bytes(16 * kPiece, 1);
  using Append = std::function<void(ReplacementFile&)>;
  const std::vector<std::pair<std::string, Append>> ways{
      {"little", [&](ReplacementFile& file) { file.append(std::span{data}.first(1000)); }},
      {"much", [&](ReplacementFile& file) { file.append(data); }},
      {"zeros", [](ReplacementFile& file) { file.append_zeros(100'000); }},
      {"pieces", [&](ReplacementFile& file) { file.append_pieces(data, kPiece, [](auto, auto) {}); }},
      {"all in one", [](ReplacementFile& file) { file.append(random_bytes(2 * kLimit, 1)); }}};
  for (const auto& [name, append] : ways) {
    for (const bool durable : {true, false}) {
      for (const std::uint64_t expected : {std::uint64_t{0}, kLimit}) {
        const ChildResult result = run_child([&, &add = append]() -> std::string {
          const struct rlimit limit{kLimit, kLimit};
          if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return skip("cannot set a limit");
          ReplacementFile file{dir / "a", {.durable = durable, .expected_bytes = expected, .cores = 2}};
          const auto error = error_of([&] {
            while (file.size() < 2 * kLimit) add(file);
          });
          return error && error->details().system_error == EFBIG ? "" : "no error of the limit";
        });
        if (skipped(result)) return;
        INFO(name << ", durable " << durable << ", expected " << expected);
        CHECK(result.text == "");
        CHECK(names_in(dir.path()).empty());
      }
    }
  }
}

TEST_CASE("without commit nothing stays") {
  const TempDir dir;
  write_file(dir / "a", "old");
  {
    ReplacementFile file{dir / "a", {}};
    file.append(random_bytes(9'000'000, 1));
    CHECK(read_file(dir / "a") == to_bytes("old"));
  }
  CHECK(names_in(dir.path()) == std::vector<std::string>{"a"});
  CHECK(read_file(dir / "a") == to_bytes("old"));
}

TEST_CASE("commit without the right to replace") {
  const TempDir dir;
  write_file(dir / "a", "old");
  {
    ReplacementFile file{dir / "a", {}};
    file.append(to_bytes("new"));
    CKPT_CHECK_CODE(ErrorCode::already_exists, file.commit(false));
  }
  CHECK(names_in(dir.path()) == std::vector<std::string>{"a"});
  CHECK(read_file(dir / "a") == to_bytes("old"));
}

TEST_CASE("the temporary of a living writer is not taken for stale, one of an abandoned writer is gone") {
  const TempDir dir;
  const os::Directory directory = os::Directory::open(dir.path());
  {
    ReplacementFile file{dir / "a", {}};
    CHECK(os::remove_stale_temporaries(directory).empty());
    CHECK(temporaries_in(dir.path()) == 1);
    file.append(to_bytes("x"));
    file.commit(true);
  }
  CHECK(names_in(dir.path()) == std::vector<std::string>{"a"});
}

TEST_CASE("writers and those who clean up do not disturb each other") {
  const TempDir dir;
  std::atomic<bool> ending{false};
  std::thread cleaner{[&] {
    const os::Directory directory = os::Directory::open(dir.path());
    while (!ending) os::remove_stale_temporaries(directory);
  }};
  std::vector<std::thread> writers;
  std::atomic<int> failures{0};
  for (int w = 0; w < 4; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < 200; ++i) {
        try {
          os::write_file_atomically(dir / ("f" + std::to_string(w)), to_bytes(std::to_string(i)), false);
        } catch (const Error&) {
          ++failures;
        }
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  ending = true;
  cleaner.join();
  CHECK(failures == 0);
  CHECK(names_in(dir.path()) == std::vector<std::string>{"f0", "f1", "f2", "f3"});
  for (int w = 0; w < 4; ++w) CHECK(read_file(dir / ("f" + std::to_string(w))) == to_bytes("199"));
}

TEST_CASE("a file that something else cuts while it is written does not appear") {
  const TempDir dir;
  ReplacementFile file{dir / "a", {.durable = false}};
  file.append(random_bytes(1'000'000, 1));  // goes to the file at once
  const std::vector<std::string> names = names_in(dir.path());
  REQUIRE(names.size() == 1);
  std::filesystem::resize_file(dir / names.front(), 500'000);
  CKPT_REQUIRE_ERROR(error, ErrorCode::io, file.commit(true));
  CHECK(contains(error.what(), "wrong size"));
  CHECK_FALSE(std::filesystem::exists(dir / "a"));
}

TEST_CASE("an error of a writing thread surfaces") {
  // A descriptor that cannot be written to stands for a device that fails.
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  {
    BlockWriter writer{fd, 2};
    int submitted = 0;
    for (; submitted < 100; ++submitted) {
      std::byte* block = writer.acquire();
      if (block == nullptr) break;
      std::fill_n(block, 4096, std::byte{1});
      writer.submit(block, 4096, static_cast<std::uint64_t>(submitted) * 4096);
    }
    CHECK(submitted < 100);
    CHECK(writer.finish() == EBADF);
  }
  {
    const Bytes data = random_bytes(40 * BlockWriter::kBlockBytes, 1);
    const BlockWriter::Work work = [](std::size_t, std::span<const std::byte>) {};
    BlockWriter writer{fd, 2};
    writer.lend(data, 0, BlockWriter::kBlockBytes, work);
    writer.take_back();
    CHECK(writer.acquire() == nullptr);
    CHECK(writer.finish() == EBADF);
  }
  ::close(fd);
}
