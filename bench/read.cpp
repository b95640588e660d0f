// Using a whole file: read_warm (through the mapping, one core), read_into (a copy into memory of the caller), restore
// (into variables that exist) and verify, with all cores and from the page cache; read_cold from the disk.
#include "input.hpp"
#include "model.hpp"
#include "page_cache.hpp"

#include <stdexcept>
#include <string>
#include <vector>

namespace ckpt::bench {
namespace {

void read_warm(benchmark::State& state) {
  guarded(state, [&] {
    const std::filesystem::path file = transformer_file(state.range(0));
    require_warm(file);
    std::uint64_t expected = 0;
    for (const ModelTensor& tensor : transformer(state.range(0))) expected += sum(tensor.data);
    for (auto _ : state) {
      const Reader reader = Reader::open(file);
      std::uint64_t total = 0;
      for (std::size_t i = 0; i < reader.size(); ++i) {
        const TensorView tensor = reader.tensor(i);
        total += sum(tensor.bytes());
      }
      if (total != expected) throw std::runtime_error{"the file holds other bytes than were saved"};
    }
    set_bytes(state);
  });
}

void read_all_into(const Reader& reader, std::span<std::byte> memory) {
  std::vector<ReadRequest> requests;
  std::size_t filled = 0;
  for (std::size_t i = 0; i < reader.size(); ++i) {
    const std::size_t size = reader.info(i).size_bytes;
    requests.push_back({i, memory.subspan(filled, size)});
    filled += size;
  }
  if (filled != memory.size()) throw std::runtime_error{"the file holds another amount than was saved"};
  reader.read_into(requests);
  benchmark::ClobberMemory();
}

void read_into(benchmark::State& state, Verify verify) {
  guarded(state, [&] {
    const std::filesystem::path file = transformer_file(state.range(0));
    const std::span<std::byte> memory = target(state.range(0));
    require_warm(file);
    for (auto _ : state) read_all_into(Reader::open(file, {.verify = verify}), memory);
    set_bytes(state);
  });
}

void read_cold(benchmark::State& state, ReadMode mode) {
  guarded(state, [&] {
    const std::filesystem::path file = transformer_file(state.range(0));
    const std::span<std::byte> memory = target(state.range(0));
    for (auto _ : state) {
      state.PauseTiming();
      require_cold(file);
      state.ResumeTiming();
      read_all_into(Reader::open(file, {.mode = mode}), memory);
    }
    set_bytes(state);
  });
}

// Into memory that the program has, as a training that goes on does.
void restore(benchmark::State& state, Verify verify, bool check_first) {
  guarded(state, [&] {
    const std::filesystem::path file = work_folder() / ("model-" + std::to_string(state.range(0)) + ".ckpt");
    Model saved{state.range(0), lent_source(state.range(0))};
    if (!std::filesystem::exists(file)) Checkpoint{saved}.write(file);
    Model model{state.range(0), target(state.range(0))};
    Checkpoint checkpoint{model};
    require_warm(file);
    for (auto _ : state) {
      checkpoint.read(file, {.verify = verify, .check_first = check_first}).assert_consumed();
      benchmark::ClobberMemory();
    }
    if (sum(target(state.range(0))) != sum(source(state.range(0)))) throw std::runtime_error{"other values"};
    set_bytes(state);
  });
}

void verify(benchmark::State& state) {
  guarded(state, [&] {
    const std::filesystem::path file = transformer_file(state.range(0));
    require_warm(file);
    for (auto _ : state) {
      const VerifyReport report = Reader::open(file).verify();
      if (!report.ok()) throw Error{report.problems.front()};
    }
    set_bytes(state);
  });
}

BENCHMARK(read_warm)->Apply(each_size)->UseRealTime();
BENCHMARK_CAPTURE(read_into, copy, Verify::none)->Name("read_into")->Apply(each_size)->UseRealTime();
BENCHMARK_CAPTURE(read_into, verified, Verify::lazy)->Apply(each_size)->UseRealTime();
BENCHMARK_CAPTURE(read_cold, mmap, ReadMode::mmap)->Apply(each_size)->UseRealTime();
BENCHMARK_CAPTURE(read_cold, read, ReadMode::read)->Apply(each_size)->UseRealTime();
BENCHMARK_CAPTURE(restore, copy, Verify::none, true)->Apply(each_size)->UseRealTime();
BENCHMARK_CAPTURE(restore, verified, Verify::lazy, true)->Apply(each_size)->UseRealTime();
BENCHMARK_CAPTURE(restore, one_pass, Verify::lazy, false)->Apply(each_size)->UseRealTime();
BENCHMARK(verify)->Apply(each_size)->UseRealTime();

}  // namespace
}  // namespace ckpt::bench
