// What memory gives on the same bytes, without a file: limit_sum and limit_memcpy on one core, limit_memcpy_all and
// limit_xxh3 on all.
#include "input.hpp"
#include "limits.hpp"

#include <cstring>

namespace ckpt::bench {
namespace {

void limit_sum(benchmark::State& state) {
  guarded(state, [&] {
    const std::span<const std::byte> memory = source(state.range(0));
    for (auto _ : state) benchmark::DoNotOptimize(sum(memory));
    set_bytes(state);
  });
}

void limit_memcpy(benchmark::State& state) {
  guarded(state, [&] {
    const std::span<const std::byte> from = source(state.range(0));
    const std::span<std::byte> to = target(state.range(0));
    for (auto _ : state) {
      std::memcpy(to.data(), from.data(), from.size());
      benchmark::ClobberMemory();
    }
    set_bytes(state);
  });
}

void limit_memcpy_all(benchmark::State& state) {
  guarded(state, [&] {
    const std::span<const std::byte> from = source(state.range(0));
    const std::span<std::byte> to = target(state.range(0));
    for (auto _ : state) copy_all(from, to, all_cores());
    set_bytes(state);
  });
}

void limit_xxh3(benchmark::State& state) {
  guarded(state, [&] {
    const std::span<const std::byte> memory = source(state.range(0));
    for (auto _ : state) hash_all(memory, all_cores());
    set_bytes(state);
  });
}

BENCHMARK(limit_sum)->Apply(each_size)->UseRealTime();
BENCHMARK(limit_memcpy)->Apply(each_size)->UseRealTime();
BENCHMARK(limit_memcpy_all)->Apply(each_size)->UseRealTime();
BENCHMARK(limit_xxh3)->Apply(each_size)->UseRealTime();

}  // namespace
}  // namespace ckpt::bench
