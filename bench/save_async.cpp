// Saving in the background: save_async_stall (until the variables were copied and may be changed) and
// save_async_hand_off (until save() returns, without a copy). Each save is durable before the next one begins.
#include "input.hpp"
#include "model.hpp"

#include <ckpt/async.hpp>

namespace ckpt::bench {
namespace {

void save_async(benchmark::State& state, SaveMode mode) {
  const std::filesystem::path file = work_folder() / "save.ckpt";
  Model model{state.range(0), lent_source(state.range(0))};
  const Checkpoint checkpoint{model};
  AsyncSaver saver{checkpoint};
  saver.write(file, {.mode = mode}).durable();  // from then on the staging memory is there
  for (auto _ : state) {
    const PendingSave save = saver.write(file, {.mode = mode});
    state.PauseTiming();
    save.durable();
    std::filesystem::remove(file);
    state.ResumeTiming();
  }
}

void save_async_stall(benchmark::State& state) {
  guarded(state, [&] { save_async(state, SaveMode::copy); });
  set_bytes(state);
}

void save_async_hand_off(benchmark::State& state) {
  guarded(state, [&] { save_async(state, SaveMode::hand_off); });
}

// The file takes longer than what is timed, so that the usual number of iterations would take minutes.
BENCHMARK(save_async_stall)->Apply(each_size)->Iterations(4)->UseRealTime();
BENCHMARK(save_async_hand_off)->Apply(each_size)->Iterations(4)->UseRealTime();

}  // namespace
}  // namespace ckpt::bench
