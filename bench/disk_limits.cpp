// What the disk and the page cache give on the same bytes, without a format or checksums: the limits of saving
// and of loading from the disk.
#include "input.hpp"
#include "limits.hpp"
#include "page_cache.hpp"

#include <fcntl.h>

#include <optional>

namespace ckpt::bench {
namespace {

std::filesystem::path new_file() { return work_folder() / "limit.bin"; }

using Strategy = void (NewFile::*)(std::span<const std::byte>) const;

void limit_write(benchmark::State& state, int flags, Strategy strategy) {
  guarded(state, [&] {
    const std::span<const std::byte> data = source(state.range(0));
    std::optional<NewFile> file;
    for (auto _ : state) {
      file.emplace(new_file(), flags);
      ((*file).*strategy)(data);
      state.PauseTiming();
      file.reset();
      state.ResumeTiming();
    }
    set_bytes(state);
  });
}

void limit_write_direct(benchmark::State& state) {
  static const bool direct = allows_direct_io(work_folder());
  if (direct) return limit_write(state, O_DIRECT, &NewFile::write_direct);
  limit_write(state, 0, &NewFile::write_early);
  state.SetLabel("through the page cache: the file system refuses O_DIRECT");
}

void limit_write_cached(benchmark::State& state) {
  guarded(state, [&] {
    const std::span<const std::byte> data = source(state.range(0));
    WarmCache cache{state.range(0)};
    for (auto _ : state) {
      state.PauseTiming();
      cache.release();
      state.ResumeTiming();
      std::optional<NewFile> file{std::in_place, new_file()};
      file->write_cached(data);
      state.PauseTiming();
      cache.hold(file->path());
      file.reset();
      state.ResumeTiming();
    }
    set_bytes(state);
  });
}

void limit_read_direct(benchmark::State& state) {
  guarded(state, [&] {
    const std::filesystem::path file = transformer_file(state.range(0));
    for (auto _ : state) read_direct(file, target(state.range(0)));
    set_bytes(state);
  });
}

BENCHMARK(limit_write_direct)->Apply(each_size)->UseRealTime();
BENCHMARK(limit_write_cached)->Apply(each_size)->UseRealTime();
BENCHMARK(limit_read_direct)->Apply(each_size)->UseRealTime();

}  // namespace
}  // namespace ckpt::bench
