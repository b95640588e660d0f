// Using and checking a whole file that lies in the page cache: read_warm (through the mapping), read_into (a copy into
// memory of the caller) and verify (all cores).
#include "input.hpp"
#include "page_cache.hpp"

#include <stdexcept>

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

void read_into(benchmark::State& state) {
  guarded(state, [&] {
    const std::filesystem::path file = transformer_file(state.range(0));
    const std::span<std::byte> memory = target(state.range(0));
    require_warm(file);
    for (auto _ : state) {
      const Reader reader = Reader::open(file);
      std::size_t filled = 0;
      for (std::size_t i = 0; i < reader.size(); ++i) {
        const std::size_t size = reader.info(i).size_bytes;
        reader.read_into(i, memory.subspan(filled, size));
        filled += size;
      }
      if (filled != memory.size()) throw std::runtime_error{"the file holds another amount than was saved"};
      benchmark::ClobberMemory();
    }
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
BENCHMARK(read_into)->Apply(each_size)->UseRealTime();
BENCHMARK(verify)->Apply(each_size)->UseRealTime();

}  // namespace
}  // namespace ckpt::bench
