// Compression of trained weights: candidate codings in memory, and checkpoint files, beside the entropy of the data.
//
// usage: ckpt_weights_bench FOLDER [DIRECTORY]   FOLDER: what train.py wrote; DIRECTORY: for checkpoint files
#include "weights.hpp"

#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <thread>

namespace ckpt::bench {

Speed measure_checkpoint(const Weights& weights, const std::filesystem::path& directory, unsigned threads) {
  constexpr std::size_t kRounds = 5;
  constexpr std::size_t kLeastBytes = std::size_t{128} << 20U;  // so that starting a file does not count
  const std::size_t copies = kLeastBytes / weights.bytes + 1;
  const auto path = directory / "weights.ckpt";
  std::vector<Stopwatch> in(kRounds);
  std::vector<Stopwatch> out(kRounds);
  std::size_t stored = 0;
  std::vector<std::byte> back;
  for (std::size_t round = 0; round < kRounds; ++round) {
    in[round].start();
    Writer writer{path, {.durable = false, .compression = Compression::zstd, .threads = threads}};
    for (std::size_t copy = 0; copy < copies; ++copy) {
      for (std::size_t i = 0; i < weights.tensors.size(); ++i) {
        const auto count = static_cast<std::int64_t>(weights.tensors[i].size() / weights.width);
        writer.add(std::to_string(copy) + "/" + std::to_string(i), weights.dtype, {count}, weights.tensors[i]);
      }
    }
    writer.commit();
    in[round].stop();
    const Reader reader = Reader::open(path, {.verify = Verify::lazy, .threads = threads});
    stored = 0;
    for (std::size_t i = 0; i < reader.size(); ++i) {
      const TensorInfo info = reader.info(i);
      back.resize(std::max<std::size_t>(back.size(), info.size_bytes));
      const auto memory = std::span{back}.first(info.size_bytes);
      out[round].start();
      reader.read_into(i, memory);
      out[round].stop();
      stored += info.stored_bytes;
      const std::string number{info.path.substr(info.path.find('/') + 1)};
      if (!std::ranges::equal(memory, weights.tensors[std::stoul(number)])) throw std::runtime_error{"wrong bytes"};
    }
  }
  std::filesystem::remove(path);
  return speed_of(weights.bytes * copies, stored, in, out);
}

namespace {

void print_row(const char* name, const Speed& speed, double bound) {
  std::printf("| %s | %.3f | %.1f %% | %.2f | %.2f | %.2f | %.2f |\n", name, speed.ratio, 100 * speed.ratio / bound,
              speed.in, speed.out, speed.in_elapsed, speed.out_elapsed);
}

void run(const Weights& weights, const std::filesystem::path& directory) {
  const auto bytes = static_cast<double>(weights.bytes);
  const double bound = bytes / entropy_bound(weights, true);
  std::printf("\n%s, %.1f MB; bound %.3f, of planes of elements that are not rotated %.3f\n\n", weights.name.c_str(),
              bytes / 1e6, bound, bytes / entropy_bound(weights, false));
  std::puts(
      "| coding | ratio | of the bound | in, GB/s a core | out, GB/s a core | in, elapsed | out, elapsed |\n"
      "|---|---|---|---|---|---|---|");
  for (const Coding& coding :
       {Coding{.name = "zstd 1", .planes = false, .level = 1}, Coding{.name = "zstd 3", .planes = false, .level = 3},
        Coding{.name = "shuffled, zstd 1", .planes = false, .shuffled = true, .level = 1},
        Coding{.name = "planes, Huffman only", .level = kEntropyOnly},
        Coding{.name = "rotated planes, Huffman only", .rotated = true, .level = kEntropyOnly},
        Coding{.name = "rotated planes, zstd -7", .rotated = true, .level = -7},
        Coding{.name = "rotated planes, zstd 1", .rotated = true, .level = 1},
        Coding{.name = "rotated planes, zstd 3", .rotated = true, .level = 3}}) {
    print_row(coding.name.c_str(), measure(weights, coding), bound);
  }
  print_row("checkpoint, 1 thread", measure_checkpoint(weights, directory, 1), bound);
  const std::string all = "checkpoint, " + std::to_string(std::thread::hardware_concurrency()) + " threads";
  print_row(all.c_str(), measure_checkpoint(weights, directory, 0), bound);
  std::fflush(stdout);
}

int run_all(const std::filesystem::path& folder, const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator{folder}) {
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  }
  if (files.empty()) throw std::runtime_error{folder.string() + " has no weights: run bench/weights/train.py"};
  std::ranges::sort(files);
  for (const auto& file : files) run(load_weights(file), directory);
  return 0;
}

}  // namespace
}  // namespace ckpt::bench

int main(int count, char** arguments) {
  if (count < 2 || count > 3) {
    std::cerr << "usage: ckpt_weights_bench FOLDER [DIRECTORY]\n";
    return 2;
  }
  try {
    return ckpt::bench::run_all(arguments[1], count == 3 ? arguments[2] : arguments[1]);
  } catch (const std::exception& error) {
    std::cerr << "ckpt_weights_bench: " << error.what() << '\n';
    return 1;
  }
}
