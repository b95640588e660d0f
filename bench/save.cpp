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

}  // namespace

void register_save() {
  for (const std::int64_t mebibytes : kMebibytes) {
    benchmark::RegisterBenchmark("save_durable", save_durable)->Arg(mebibytes)->UseRealTime();
    benchmark::RegisterBenchmark("save_cached", save_cached)->Arg(mebibytes)->UseRealTime();
  }
}

}  // namespace ckpt::bench
