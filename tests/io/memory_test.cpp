// What a reader costs in memory: processes share the pages of a file, and opening takes little of its own.
#include "support/child.hpp"
#include "support/sanitizer.hpp"
#include "support/shared.hpp"
#include "support/temp_dir.hpp"

#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace ckpt;

// The KiB of a row of /proc/self/smaps, added up over the mappings whose first line ends with `name`; with an empty
// name over all of them.
std::uint64_t kib_of(const std::string& row, const std::string& name) {
  std::ifstream smaps{"/proc/self/smaps"};
  std::uint64_t total = 0;
  bool counts = false;
  for (std::string line; std::getline(smaps, line);) {
    std::istringstream words{line};
    std::string first;
    std::uint64_t value = 0;
    words >> first;
    if (first.find('-') != std::string::npos && first.back() != ':') {
      counts = line.ends_with(name);
    } else if (counts && first == row && words >> value) {
      total += value;
    }
  }
  return total;
}

// Memory that this process shares with no other. Sanitizers need some for each byte that is touched, so with them it
// says nothing.
std::uint64_t own_kib() { return test::under_sanitizer() ? 0 : kib_of("Private_Dirty:", ""); }

void read_all(const Reader& reader) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < reader.size(); ++i) {
    const TensorView tensor = reader.tensor(i);
    for (std::size_t at = 0; at < tensor.bytes().size(); at += 4096)
      sum += std::to_integer<unsigned>(tensor.bytes()[at]);
  }
  if (sum == 0) throw std::runtime_error{"nothing was read"};
}

}  // namespace

TEST_CASE("four processes share one file", "[memory]") {
  constexpr std::size_t kProcesses = 4;
  const test::TempDir dir;
  const std::filesystem::path file = dir.path() / "model.ckpt";
  {
    Writer writer{file, {.durable = false}};
    const std::vector<std::byte> data(std::size_t{1} << 20U, std::byte{7});
    for (int i = 0; i < 32; ++i) writer.add("layer/" + std::to_string(i), DType::u8, {1 << 20}, data);
    writer.commit();
  }
  struct State {
    std::atomic<std::size_t> ready = 0;
    std::atomic<std::size_t> measured = 0;
    std::array<std::uint64_t, kProcesses> kib{};
  };
  const test::Shared<State> state;
  const auto wait_for_all = [](std::atomic<std::size_t>& count) {
    ++count;
    for (int i = 0; count < kProcesses; ++i) {
      if (i == 60'000) throw std::runtime_error{"the other processes do not come"};
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  };
  std::array<pid_t, kProcesses> children{};
  for (std::size_t i = 0; i < kProcesses; ++i) {
    children[i] = ::fork();
    if (children[i] != 0) continue;
    try {
      const std::uint64_t before = own_kib();
      const Reader reader = Reader::open(file);
      read_all(reader);
      wait_for_all((*state).ready);
      (*state).kib[i] = kib_of("Pss:", file.native()) + own_kib() - before;
      wait_for_all((*state).measured);
    } catch (const std::exception&) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < kProcesses; ++i) {
    REQUIRE(children[i] > 0);
    CHECK(test::wait_for(children[i]).exit_status == 0);
    total += (*state).kib[i];
  }
  const std::uint64_t file_kib = std::filesystem::file_size(file) / 1024;
  CAPTURE(total, file_kib);
  CHECK(total >= file_kib - file_kib / 50);
  CHECK(total <= file_kib + file_kib / 50);
}

TEST_CASE("opening a file of many tensors takes little memory of its own", "[memory]") {
  const test::TempDir dir;
  const std::filesystem::path file = dir.path() / "many.ckpt";
  {
    Writer writer{file, {.durable = false}};
    for (int i = 0; i < 200'000; ++i) writer.add("layer/" + std::to_string(i) + "/kernel", DType::u8, {0}, {});
    writer.commit();
  }
  const auto result = test::run_child([&]() -> std::string {
    const std::uint64_t before = own_kib();
    const Reader reader = Reader::open(file);
    const TensorView tensor = reader.tensor("layer/123456/kernel");
    const std::uint64_t grown = own_kib() - before;
    return grown <= 1024 ? "" : "it took " + std::to_string(grown) + " KiB";
  });
  CHECK(result.text.empty());
}
