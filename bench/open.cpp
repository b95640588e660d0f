// Opening a file and binding tensors: open_bind_one, bind_all, and the least that a mapped file costs.
#include "input.hpp"
#include "limits.hpp"
#include "page_cache.hpp"

#include <array>
#include <stdexcept>

namespace ckpt::bench {
namespace {

// Paths from all over the file, so that not one lucky search is measured.
std::array<std::string, 16> some_paths(std::int64_t count) {
  constexpr std::int64_t kStride = 7919;
  std::array<std::string, 16> paths;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    paths[i] = many_tensors_path(static_cast<std::int64_t>(i) * kStride % count);
  }
  if (count > 16 * kStride) {
    for (std::size_t i = 0; i < paths.size(); ++i) {
      paths[i] = many_tensors_path((static_cast<std::int64_t>(i) * (count / 16)) + 7);
    }
  }
  return paths;
}

// Open, find a tensor by its path, read its first byte, close.
void open_bind_one(benchmark::State& state) {
  guarded(state, [&] {
    const std::filesystem::path file = many_tensors_file(state.range(0));
    const std::array<std::string, 16> paths = some_paths(state.range(0));
    require_warm(file);
    std::size_t next = 0;
    for (auto _ : state) {
      const Reader reader = Reader::open(file);
      const TensorView tensor = reader.tensor(paths[next++ % paths.size()]);
      benchmark::DoNotOptimize(tensor.bytes().front());
    }
    state.counters["tensors"] = static_cast<double>(state.range(0));
  });
}

// Open and bind every tensor by its number; the data stays untouched.
void bind_all(benchmark::State& state) {
  guarded(state, [&] {
    const std::filesystem::path file = many_tensors_file(state.range(0));
    require_warm(file);
    const auto expected = static_cast<std::size_t>(state.range(0)) * 64;
    for (auto _ : state) {
      const Reader reader = Reader::open(file);
      std::size_t bytes = 0;
      for (std::size_t i = 0; i < reader.size(); ++i) {
        const TensorView tensor = reader.tensor(i);
        benchmark::DoNotOptimize(tensor.bytes().data());
        bytes += tensor.bytes().size();
      }
      if (bytes != expected) throw std::runtime_error{"not all tensors were bound"};
    }
    set_tensors(state);
  });
}

void limit_open(benchmark::State& state) {
  guarded(state, [&] {
    const std::filesystem::path file = many_tensors_file(1000);
    require_warm(file);
    for (auto _ : state) open_once(file);
  });
}

BENCHMARK(limit_open)->UseRealTime();
BENCHMARK(open_bind_one)->Apply(each_count)->UseRealTime();
BENCHMARK(bind_all)->Apply(each_count)->UseRealTime();

}  // namespace
}  // namespace ckpt::bench
