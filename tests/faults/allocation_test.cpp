// The Nth allocation fails, once and for ever: an error each time, no abort, nothing leaks, the old file is intact; and
// all fail but the first for the disk.
#include "allocations.hpp"
#include "os/block_writer.hpp"

#include <ckpt/ckpt.hpp>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <support/errors.hpp>
#include <support/files.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <iostream>
#include <new>
#include <span>
#include <thread>

using namespace ckpt;
using namespace ckpt::test;
namespace fs = std::filesystem;

namespace {

struct Operation {
  std::function<void()> run;
  std::function<bool(bool ok)> is_sound;  // afterwards
};

bool tells_of_memory(const Error& error) {
  return error.code() == ErrorCode::limit || error.details().system_error == ENOMEM;
}

// `prepare` makes the world in a new directory.
void strike_all(const std::string& name, const std::function<Operation(const fs::path&)>& prepare) {
  std::int64_t most = 0;
  int failed = 0;
  {
    const TempDir dir;  // what is taken once in a process
    const Operation operation = prepare(dir.path());
    operation.run();
  }
  for (const bool ever : {false, true}) {
    for (std::int64_t n = 0;; ++n) {
      const TempDir dir;
      const Operation operation = prepare(dir.path());
      const char* other = nullptr;
      bool ok = false;
      const std::int64_t before = live_blocks();
      try {
        const FailingAllocations fail{n, ever};
        operation.run();
        ok = true;
      } catch (const std::bad_alloc&) {
      } catch (const Error& error) {
        if (!tells_of_memory(error)) other = "an error that does not tell of memory";
      } catch (...) {
        other = "an exception of another kind";
      }
      const bool fired = allocation_failed();
      const std::int64_t after = live_blocks();
      INFO(name << ", allocation " << n + 1 << (ever ? " and all later ones" : "") << (ok ? ", survived" : ""));
      REQUIRE(other == nullptr);
      REQUIRE(after == before);
      REQUIRE(operation.is_sound(ok));
      REQUIRE(temporaries_in(dir.path()) == 0);
      operation.run();
      REQUIRE(operation.is_sound(true));
      if (!ok) ++failed;
      if (!fired) {
        REQUIRE(ok);
        break;
      }
      most = std::max(most, n + 1);
    }
  }
  std::cout << name << ": " << most << " allocations, " << failed << " runs failed" << std::endl;
  CHECK(failed > 0);
}

double value_in(const fs::path& path) {
  const TensorView view = Reader::open(path, {.verify = Verify::full}).tensor("v");
  return view.as<double>()[0];
}

WriterOptions quick() {
  WriterOptions options;
  options.durable = false;
  options.compression = Compression::zstd;
  options.chunk_bytes = kMinChunkBytes;
  options.threads = 3;
  return options;
}

void write(const fs::path& path, double value) {
  Writer writer{path, quick()};
  writer.add("bytes", DType::u8, {200'000}, smooth_bytes(200'000, 1));
  writer.add<double>("v", {}, std::span{&value, 1});
  writer.set_metadata("note", std::string(100, 'x'));
  writer.commit();
}

}  // namespace

TEST_CASE("the Nth allocation of a save fails") {
  strike_all("save", [](const fs::path& dir) {
    const fs::path path = dir / "a.ckpt";
    write(path, 1);
    return Operation{[=] { write(path, 2); },
                     [=](bool ok) { return value_in(path) == 2 || (!ok && value_in(path) == 1); }};
  });
}

TEST_CASE("the Nth allocation of opening and verifying fails") {
  strike_all("open", [](const fs::path& dir) {
    const fs::path path = dir / "a.ckpt";
    write(path, 1);
    return Operation{[=] {
                       const Reader reader = Reader::open(path, {.mode = ReadMode::read, .verify = Verify::lazy});
                       static_cast<void>(bytes_of(reader.tensor("bytes")));
                       if (!reader.verify().ok()) throw std::runtime_error("a whole file is taken for a damaged one");
                     },
                     [=](bool) { return value_in(path) == 1; }};
  });
}

TEST_CASE("the Nth allocation of a restore fails") {
  strike_all("restore", [](const fs::path& dir) {
    const fs::path path = dir / "a.ckpt";
    write(path, 1);
    auto value = std::make_shared<Variable<double>>(7);
    return Operation{[=] {
                       value->set(7);
                       Checkpoint checkpoint{{"v", *value}};
                       checkpoint.read(path).expect_partial();
                     },
                     [=](bool ok) { return value->value() == 1 || (!ok && value->value() == 7); }};
  });
}

TEST_CASE("the first blocks will do to write lent data and what comes behind them") {
  const TempDir dir;
  const Bytes data = random_bytes(4 * os::BlockWriter::kBlockBytes, 1);
  const int fd = ::open((dir / "a").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(fd >= 0);
  int error = 0;
  {
    os::BlockWriter writer{fd, 2};
    const auto append_page = [&] {
      std::byte* const block = writer.acquire();
      if (block == nullptr) return;  // finish() tells
      std::copy_n(data.begin(), 4096, block);
      writer.take_back();
      writer.submit(block, 4096, data.size());
      std::this_thread::sleep_for(std::chrono::milliseconds{1});  // until it is written
    };
    append_page();  // starts a thread
    const FailingAllocations fail{0, true};
    const os::BlockWriter::Work work = [](std::size_t, std::span<const std::byte>) {};
    for (int round = 0; round < 50; ++round) {  // in some of which this thread is the first to want a block
      writer.lend(data, 0, os::BlockWriter::kBlockBytes, work);
      append_page();
    }
    error = writer.finish();
  }
  CHECK(error == 0);
  ::close(fd);
  const Bytes found = read_file(dir / "a");
  REQUIRE(found.size() == data.size() + 4096);
  CHECK(std::ranges::equal(std::span{found}.first(data.size()), data));
  CHECK(std::ranges::equal(std::span{found}.last(4096), std::span{data}.first(4096)));
}
