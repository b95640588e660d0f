// What the benchmarks work on: memory that was touched, a model of mixed tensors, files.
#pragma once

#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace ckpt::bench {

inline constexpr std::size_t kMiB = std::size_t{1} << 20U;

/// Sizes that the benchmarks run with.
inline constexpr std::int64_t kTensorCounts[] = {10, 1'000, 100'000, 1'000'000};
inline constexpr std::int64_t kMebibytes[] = {64, 1024};
inline constexpr std::int64_t kManySmall = 100'000;

/// A new folder for the files of this run, removed with all that is in it.
class WorkFolder {
 public:
  explicit WorkFolder(const std::filesystem::path& parent);
  ~WorkFolder();
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// The folder that benchmarks write to. main() sets it before they run.
const std::filesystem::path& work_folder();
void set_work_folder(const std::filesystem::path& folder);

/// `mebibytes` of memory with random content; made once a size and aligned for direct I/O.
std::span<const std::byte> source(std::int64_t mebibytes);

/// As much memory to copy into, already touched.
std::span<std::byte> target(std::int64_t mebibytes);

struct ModelTensor {
  std::string path;
  Shape shape;
  std::span<const std::byte> data;
};

/// About 290 float32 tensors of a transformer that are together exactly source(mebibytes): matrices of megabytes beside
/// biases and norms of a few KiB.
const std::vector<ModelTensor>& transformer(std::int64_t mebibytes);
void write_transformer(const std::filesystem::path& file, std::int64_t mebibytes, bool durable);

/// A file with the tensors of transformer(mebibytes); made at the first call.
std::filesystem::path transformer_file(std::int64_t mebibytes);

/// A file with `count` tensors of 64 bytes; made at the first call.
std::filesystem::path many_tensors_file(std::int64_t count);
std::string many_tensors_path(std::int64_t tensor);

/// The sum of all bytes, taken as 8-byte words (the last one filled up with zeros), modulo 2^64.
std::uint64_t sum(std::span<const std::byte> data);

/// Says which benchmark failed and ends the run: Google Benchmark cannot do statistics over rounds of which one failed.
template <typename Body>
void guarded(benchmark::State& /*state*/, const Body& body) {
  try {
    body();
  } catch (const std::exception& error) {
    throw std::runtime_error{std::string{"a benchmark failed: "} + error.what()};
  }
}

/// Tells the report how many bytes or tensors one iteration worked on.
inline void set_bytes(benchmark::State& state) {
  state.counters["bytes"] = static_cast<double>(state.range(0)) * static_cast<double>(kMiB);
}
inline void set_tensors(benchmark::State& state) { state.counters["tensors"] = static_cast<double>(state.range(0)); }

/// For BENCHMARK(...)->Apply().
inline void each_count(benchmark::internal::Benchmark* benchmark) {
  for (const std::int64_t count : kTensorCounts) benchmark->Arg(count);
}
inline void each_size(benchmark::internal::Benchmark* benchmark) {
  for (const std::int64_t mebibytes : kMebibytes) benchmark->Arg(mebibytes);
}

}  // namespace ckpt::bench
