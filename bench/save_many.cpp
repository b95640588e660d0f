// Many small tensors: save_many writes 100,000 of 4 KiB until they are durable, opens the file and binds them all; its
// limit does the same with these bytes in one tensor.
#include "input.hpp"

#include <stdexcept>

namespace ckpt::bench {
namespace {

constexpr std::int64_t kTensorBytes = 4096;

void save_open_bind(benchmark::State& state, std::int64_t tensors, std::int64_t bytes_each) {
  guarded(state, [&] {
    const std::filesystem::path file = work_folder() / "save.ckpt";
    const auto size = static_cast<std::size_t>(bytes_each);
    const std::span<const std::byte> data =
        source((tensors * bytes_each + static_cast<std::int64_t>(kMiB) - 1) / static_cast<std::int64_t>(kMiB));
    std::vector<std::string> paths;
    for (std::int64_t i = 0; i < tensors; ++i) paths.push_back(many_tensors_path(i));
    const Shape shape{bytes_each / static_cast<std::int64_t>(sizeof(float))};
    for (auto _ : state) {
      Writer writer{file, {.expected_bytes = static_cast<std::uint64_t>(tensors * bytes_each)}};
      for (std::size_t i = 0; i < paths.size(); ++i)
        writer.add(paths[i], DType::f32, shape, data.subspan(i * size, size));
      writer.commit();
      const Reader reader = Reader::open(file);
      std::size_t bound = 0;
      for (std::size_t i = 0; i < reader.size(); ++i) {
        const TensorView tensor = reader.tensor(i);
        bound += tensor.bytes().size();
      }
      if (bound != paths.size() * size) throw std::runtime_error{"not all tensors were bound"};
      state.PauseTiming();
      std::filesystem::remove(file);
      state.ResumeTiming();
    }
    state.counters["bytes"] = static_cast<double>(tensors * bytes_each);
  });
}

void save_many(benchmark::State& state) { save_open_bind(state, state.range(0), kTensorBytes); }
void limit_save_one(benchmark::State& state) { save_open_bind(state, 1, state.range(0) * kTensorBytes); }

BENCHMARK(save_many)->Arg(kManySmall)->UseRealTime();
BENCHMARK(limit_save_one)->Arg(kManySmall)->UseRealTime();

}  // namespace
}  // namespace ckpt::bench
