// What memory gives on the same bytes, without a file: limit_sum and limit_memcpy on one core, limit_memcpy_all and
// limit_xxh3 on all.
#include "input.hpp"

#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

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

// Each core copies one piece: the larger a piece, the faster is memcpy.
void limit_memcpy_all(benchmark::State& state) {
  guarded(state, [&] {
    const std::span<const std::byte> from = source(state.range(0));
    const std::span<std::byte> to = target(state.range(0));
    const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
    const std::size_t piece = (from.size() + cores - 1) / cores;
    const auto copy = [&](std::size_t at) {
      std::memcpy(to.data() + at, from.data() + at, std::min(piece, from.size() - at));
    };
    for (auto _ : state) {
      std::vector<std::jthread> others;
      for (std::size_t at = piece; at < from.size(); at += piece) others.emplace_back([&copy, at] { copy(at); });
      copy(0);
      others.clear();
      benchmark::ClobberMemory();
    }
    set_bytes(state);
  });
}

// Chunks of 1 MiB, as the format has them.
void hash_chunks(std::span<const std::byte> memory, std::atomic<std::size_t>& next) {
  for (std::size_t at = next.fetch_add(kMiB); at < memory.size(); at = next.fetch_add(kMiB)) {
    benchmark::DoNotOptimize(XXH3_64bits(memory.data() + at, kMiB));
  }
}

void limit_xxh3(benchmark::State& state) {
  guarded(state, [&] {
    const std::span<const std::byte> memory = source(state.range(0));
    for (auto _ : state) {
      std::atomic<std::size_t> next = 0;
      std::vector<std::jthread> others;
      for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) {
        others.emplace_back([&] { hash_chunks(memory, next); });
      }
      hash_chunks(memory, next);
    }
    set_bytes(state);
  });
}

BENCHMARK(limit_sum)->Apply(each_size)->UseRealTime();
BENCHMARK(limit_memcpy)->Apply(each_size)->UseRealTime();
BENCHMARK(limit_memcpy_all)->Apply(each_size)->UseRealTime();
BENCHMARK(limit_xxh3)->Apply(each_size)->UseRealTime();

}  // namespace
}  // namespace ckpt::bench
