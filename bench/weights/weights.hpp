// Trained weights as train.py leaves them.
#pragma once

#include <ckpt/dtype.hpp>

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace ckpt::bench {

/// The tensors of one file <model>.<kind>.<dtype>.safetensors that are large enough to matter.
struct Weights {
  std::string name;  ///< "mlp.weights.bf16"
  DType dtype{};
  std::size_t width = 0;  ///< bytes of an element
  std::vector<std::vector<std::byte>> tensors;
  std::size_t bytes = 0;
};

/// Throws std::runtime_error for what is no such file.
Weights load_weights(const std::filesystem::path& path);

/// Bytes that an ideal code of single bytes would take for each byte plane of each tensor; `rotated`: of elements whose
/// bits were rotated left by one.
double entropy_bound(const Weights& weights, bool rotated);

/// One way to compress chunks of a MiB, each on its own, in memory and on one thread.
struct Coding {
  std::string name;
  bool planes = true;     ///< byte planes, each its own frame or stored where that is smaller; else the chunk as it is
  bool shuffled = false;  ///< byte planes in one frame
  bool rotated = false;
  int level = 1;  ///< zstd's; kEntropyOnly for its lowest, at which Huffman codes are all that is left
};
inline constexpr int kEntropyOnly = -131072;

struct Speed {
  double ratio = 0;
  double in = 0;          ///< GB of data a second of one processor, compressing
  double out = 0;         ///< decompressing
  double in_elapsed = 0;  ///< the same a second of the clock on the wall
  double out_elapsed = 0;
};

/// The median of some rounds. Throws std::runtime_error when what comes back is not what went in.
Speed measure(const Weights& weights, const Coding& coding);

/// The same of a checkpoint file in `directory`, which stays in the page cache, through the library's API, checksums
/// included. 0 threads: one per core.
Speed measure_checkpoint(const Weights& weights, const std::filesystem::path& directory, unsigned threads);

/// Adds up how long things take. Processor time is what a busy machine changes least.
class Stopwatch {
 public:
  void start();
  void stop();
  double processor_seconds() const noexcept { return processor_; }
  double elapsed_seconds() const noexcept { return elapsed_; }

 private:
  double processor_ = 0;  // of all threads of the process
  double elapsed_ = 0;
};

/// By the medians of rounds.
Speed speed_of(std::size_t bytes, std::size_t stored, const std::vector<Stopwatch>& in,
               const std::vector<Stopwatch>& out);

}  // namespace ckpt::bench
