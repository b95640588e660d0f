// A process whose address space is limited saves and reads, with fewer threads than it asks for, or says so.
#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/child.hpp>
#include <support/files.hpp>
#include <support/floats.hpp>
#include <support/scarce_memory.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iostream>
#include <iterator>
#include <new>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace {

using namespace ckpt;
using namespace ckpt::test;
namespace fs = std::filesystem;

constexpr std::size_t kTensors = 8;
constexpr std::int64_t kElements = std::int64_t{1} << 18U;

// What `action` ends with, in a child that has so much memory: "done", "no memory", or what must not be.
std::string with_memory(std::size_t bytes, const std::function<void()>& action) {
  const auto attempt = [&]() -> std::string {
    take_all_memory(4096);
    limit_memory(bytes);
    try {
      action();
      return "done";
    } catch (const std::bad_alloc&) {
      return "no memory";
    } catch (const Error& error) {
      return error.details().system_error == ENOMEM ? "no memory" : error.what();
    }
  };
  return run_child(attempt).text;
}

void save(const fs::path& path, const Bytes& data, std::int64_t version, unsigned threads) {
  Writer writer{path, {.durable = false, .compression = Compression::zstd, .threads = threads}};
  for (std::size_t i = 0; i < kTensors; ++i) writer.add(std::to_string(i), DType::f32, {kElements}, data);
  writer.set_metadata("version", version);
  writer.commit();
}

// Which version lies there, whole and alone in its directory.
std::int64_t version_of(const fs::path& path) {
  CHECK(std::distance(fs::directory_iterator{path.parent_path()}, {}) == 1);
  const Reader reader = Reader::open(path);
  CHECK(reader.verify().ok());
  return std::get<std::int64_t>(reader.metadata().at("version"));
}

void read(const fs::path& path, const Bytes& data, unsigned threads) {
  const Reader reader = Reader::open(path, {.threads = threads});
  for (std::size_t i = 0; i < kTensors; ++i) {
    const TensorView tensor = reader.tensor(i);
    if (!std::ranges::equal(tensor.bytes(), data)) throw std::runtime_error{"other values"};
  }
}

std::vector<std::size_t> limits() {
  std::vector<std::size_t> all;
  for (std::size_t mib = 0; mib < 200; mib += 1 + mib / 4) all.push_back(mib << 20U);
  return all;
}

}  // namespace

TEST_CASE("a save that lacks memory is done by fewer threads, or leaves the old file", "[memory]") {
  if (!may_limit_memory()) return;
  const TempDir dir;
  const fs::path path = dir / "a.ckpt";
  const Bytes data = normal_floats(kElements * sizeof(float), 1);
  save(path, data, 0, 1);
  std::int64_t version = 0;
  for (const unsigned threads : {1U, 2U, 16U}) {
    std::size_t done = 0;
    for (const std::size_t limit : limits()) {
      const std::string outcome = with_memory(limit, [&] { save(path, data, version + 1, threads); });
      INFO(threads << " threads, " << (limit >> 20U) << " MiB: " << outcome);
      if (outcome == "done") {
        ++done;
        ++version;
      }
      CHECK((outcome == "done" || outcome == "no memory"));
      CHECK(version_of(path) == version);
    }
    CHECK(done < limits().size());
    CHECK(done > 0);
    std::cout << threads << " threads: " << done << " saves of " << limits().size() << " had enough" << std::endl;
  }
}

TEST_CASE("reading that lacks memory gives the values, or says so", "[memory]") {
  if (!may_limit_memory()) return;
  const TempDir dir;
  const fs::path path = dir / "a.ckpt";
  const Bytes data = normal_floats(kElements * sizeof(float), 1);
  save(path, data, 0, 1);
  for (const unsigned threads : {1U, 16U}) {
    std::size_t done = 0;
    for (const std::size_t limit : limits()) {
      const std::string outcome = with_memory(limit, [&] { read(path, data, threads); });
      INFO(threads << " threads, " << (limit >> 20U) << " MiB: " << outcome);
      if (outcome == "done") ++done;
      CHECK((outcome == "done" || outcome == "no memory"));
    }
    CHECK(done < limits().size());
    CHECK(done > 0);
    std::cout << threads << " threads: " << done << " of " << limits().size() << " had enough" << std::endl;
  }
}
