// Saving a model of mixed tensors with checksums: save_durable (until it is on the disk) and save_cached (until it is
// in the page cache).
#include "input.hpp"
#include "page_cache.hpp"

namespace ckpt::bench {
namespace {

void save_durable(benchmark::State& state) {
  guarded(state, [&] {
    const std::filesystem::path file = work_folder() / "save.ckpt";
    transformer(state.range(0));
    for (auto _ : state) {
      write_transformer(file, state.range(0), true);
      state.PauseTiming();
      std::filesystem::remove(file);
      state.ResumeTiming();
    }
    set_bytes(state);
  });
}

void save_cached(benchmark::State& state) {
  guarded(state, [&] {
    const std::filesystem::path file = work_folder() / "save.ckpt";
    transformer(state.range(0));
    WarmCache cache{state.range(0)};
    for (auto _ : state) {
      state.PauseTiming();
      cache.release();
      state.ResumeTiming();
      write_transformer(file, state.range(0), false);
      state.PauseTiming();
      cache.hold(file);
      state.ResumeTiming();
    }
    set_bytes(state);
  });
}

BENCHMARK(save_durable)->Apply(each_size)->UseRealTime();
BENCHMARK(save_cached)->Apply(each_size)->UseRealTime();

}  // namespace
}  // namespace ckpt::bench
