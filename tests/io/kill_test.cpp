// SIGKILL at random moments of a process that saves in a loop: the path holds the old checkpoint or the new one, whole.
// CKPT_TEST_KILLS sets how often; the default is 1,000.
#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/child.hpp>
#include <support/errors.hpp>
#include <support/files.hpp>
#include <support/sample.hpp>
#include <support/shared.hpp>
#include <support/temp_dir.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

// What the saving process has done.
struct Progress {
  std::atomic<std::uint64_t> begun{0};
  std::atomic<std::uint64_t> done{0};
};

// Everything in the file follows from the number, so that a mixture of two saves shows.
Bytes content(std::uint64_t number, std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(number * 31 + i * 7);
  return bytes;
}

void save(const std::filesystem::path& path, std::uint64_t number, std::size_t size, bool durable) {
  WriterOptions options;
  options.durable = durable;
  options.step = static_cast<std::int64_t>(number);
  Writer writer{path, options};
  writer.add<std::uint64_t>("number", {}, std::span{&number, 1});
  writer.add("content", DType::u8, {static_cast<std::int64_t>(size)}, content(number, size));
  writer.commit();
}

// The number of the checkpoint, which is whole.
std::uint64_t load(const std::filesystem::path& path, std::size_t size) {
  const Reader reader = Reader::open(path, {.verify = Verify::full});
  const TensorView number = reader.tensor("number");
  const std::uint64_t value = number.as<std::uint64_t>()[0];
  if (bytes_of(reader.tensor("content")) != content(value, size)) throw std::runtime_error("a mixture of two saves");
  return value;
}

struct Setup {
  std::size_t size;
  bool durable;
};

}  // namespace

TEST_CASE("SIGKILL at a random moment leaves old or new", "[kill]") {
  const std::vector<Setup> setups{{100, false}, {100, true}, {300'000, false}, {300'000, true}, {6'000'000, true}};
  std::mt19937 random{std::random_device{}()};
  const int wanted = kills(1000);
  int done = 0;
  std::size_t temporaries = 0;
  std::size_t between = 0;  // kills that met a save at work
  for (std::size_t s = 0; s < setups.size(); ++s) {
    const Setup& setup = setups[s];
    const TempDir dir;
    const auto path = dir / "a.ckpt";
    const Shared<Progress> shared;
    Progress& progress = *shared;
    const auto start = std::chrono::steady_clock::now();
    save(path, 0, setup.size, setup.durable);
    const auto one_save = std::chrono::steady_clock::now() - start;
    // The largest file is written a few times only: it is slow.
    const int share = setup.size > 1'000'000 ? wanted / 25 : (wanted - wanted / 25) / 4;
    for (int i = 0; i < (s + 1 == setups.size() ? wanted - done : share); ++i) {
      const pid_t child = ::fork();
      REQUIRE(child >= 0);
      if (child == 0) {
        try {
          while (true) {
            const std::uint64_t number = progress.done + 1;
            progress.begun = number;
            save(path, number, setup.size, setup.durable);
            progress.done = number;
          }
        } catch (...) {
          ::_exit(1);
        }
      }
      const auto longest = std::chrono::duration_cast<std::chrono::microseconds>(2 * one_save).count();
      std::this_thread::sleep_for(std::chrono::microseconds{static_cast<long>(random()) % (longest + 300)});
      ::kill(child, SIGKILL);
      const ChildResult result = wait_for(child);
      REQUIRE(result.signal == SIGKILL);
      const std::uint64_t number = load(path, setup.size);
      INFO("kill " << i << " with " << setup.size << " bytes: " << progress.done << " <= " << number
                   << " <= " << progress.begun);
      REQUIRE(number >= progress.done);
      REQUIRE(number <= progress.begun);
      if (progress.begun != progress.done) ++between;
      progress.done = number;
      progress.begun = number;
      for (const std::string& name : names_in(dir.path())) {
        REQUIRE((name == "a.ckpt" || (name.starts_with(".a.ckpt.") && name.ends_with(".tmp"))));
      }
    }
    done += s + 1 == setups.size() ? wanted - done : share;
    temporaries += temporaries_in(dir.path());
  }
  std::cout << done << " kills, " << between << " during a save, left " << temporaries << " temporaries\n";
  CHECK(done == wanted);
  CHECK(temporaries <= between);
  if (wanted >= 100) CHECK(between > 0);
}
