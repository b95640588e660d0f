#include "weights.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>

namespace ckpt::bench {
namespace {

constexpr std::size_t kLeastBytes = 65536;

using Counts = std::array<std::array<std::size_t, 256>, 8>;

template <typename Word>
void count_bytes(std::span<const std::byte> tensor, bool rotated, Counts& counts) {
  for (std::size_t i = 0; i < tensor.size(); i += sizeof(Word)) {
    Word word;
    std::memcpy(&word, tensor.data() + i, sizeof word);
    if (rotated) word = std::rotl(word, 1);
    for (std::size_t j = 0; j < sizeof word; ++j) ++counts[j][(word >> (8 * j)) & 0xffU];
  }
}

double ideal_bytes(const std::array<std::size_t, 256>& counts, std::size_t total) {
  double bits = 0;
  for (const std::size_t count : counts) {
    if (count > 0)
      bits -= static_cast<double>(count) * std::log2(static_cast<double>(count) / static_cast<double>(total));
  }
  return bits / 8;
}

double processor_now() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double elapsed_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Weights load_weights(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  const std::vector<char> all{std::istreambuf_iterator<char>{file}, {}};
  Weights weights{.name = path.stem().string()};
  const auto dtype = dtype_from_string(weights.name.substr(weights.name.rfind('.') + 1));
  std::uint64_t header = 0;
  if (all.size() < sizeof header || !dtype) throw std::runtime_error{path.string() + " is not as train.py writes it"};
  std::memcpy(&header, all.data(), sizeof header);
  const auto begin = all.begin() + sizeof header;
  const auto data = begin + static_cast<std::ptrdiff_t>(header);
  weights.dtype = *dtype;
  weights.width = bits_of(*dtype) / 8;
  const auto records = nlohmann::json::parse(begin, data);
  for (const auto& [name, record] : records.items()) {
    if (name == "__metadata__") continue;
    const auto offsets = record.at("data_offsets").get<std::array<std::ptrdiff_t, 2>>();
    const auto bytes = std::as_bytes(std::span{data + offsets[0], data + offsets[1]});
    if (bytes.size() < kLeastBytes) continue;
    weights.tensors.emplace_back(bytes.begin(), bytes.end());
    weights.bytes += bytes.size();
  }
  return weights;
}

double entropy_bound(const Weights& weights, bool rotated) {
  double total = 0;
  for (const auto& tensor : weights.tensors) {
    Counts counts{};
    if (weights.width == 2) count_bytes<std::uint16_t>(tensor, rotated, counts);
    if (weights.width == 4) count_bytes<std::uint32_t>(tensor, rotated, counts);
    for (std::size_t j = 0; j < weights.width; ++j) total += ideal_bytes(counts[j], tensor.size() / weights.width);
  }
  return total;
}

void Stopwatch::start() {
  processor_ -= processor_now();
  elapsed_ -= elapsed_now();
}

void Stopwatch::stop() {
  processor_ += processor_now();
  elapsed_ += elapsed_now();
}

Speed speed_of(std::size_t bytes, std::size_t stored, const std::vector<Stopwatch>& in,
               const std::vector<Stopwatch>& out) {
  const auto rate = [&](const std::vector<Stopwatch>& rounds, auto seconds) {
    std::vector<double> values;
    for (const Stopwatch& round : rounds) values.push_back(std::invoke(seconds, round));
    std::ranges::sort(values);
    return static_cast<double>(bytes) / values[values.size() / 2] / 1e9;
  };
  return {.ratio = static_cast<double>(bytes) / static_cast<double>(stored),
          .in = rate(in, &Stopwatch::processor_seconds),
          .out = rate(out, &Stopwatch::processor_seconds),
          .in_elapsed = rate(in, &Stopwatch::elapsed_seconds),
          .out_elapsed = rate(out, &Stopwatch::elapsed_seconds)};
}

}  // namespace ckpt::bench
