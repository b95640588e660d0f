// A small checkpoint that uses every feature of the format, and using all that a file offers.
#pragma once

#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <support/errors.hpp>
#include <support/files.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace ckpt::test {

/// All dtypes, in the order of their values.
inline std::vector<DType> all_dtypes() {
  std::vector<DType> all;
  for (std::uint16_t value = 1; value <= 28; ++value) all.push_back(static_cast<DType>(value));
  return all;
}

inline constexpr std::array<std::byte, 16> kSampleUuid{
    std::byte{0x01}, std::byte{0x23}, std::byte{0x45}, std::byte{0x67}, std::byte{0x89}, std::byte{0xab},
    std::byte{0x4c}, std::byte{0xdf}, std::byte{0x80}, std::byte{0x11}, std::byte{0x22}, std::byte{0x33},
    std::byte{0x44}, std::byte{0x55}, std::byte{0x66}, std::byte{0x77}};

/// The bytes of a fixed-size tensor.
inline Bytes tensor_bytes(DType dtype, std::int64_t elements, std::uint64_t seed) {
  Bytes bytes = random_bytes(bits_of(dtype) * static_cast<std::size_t>(elements) / 8, seed);
  if (dtype == DType::boolean) {
    for (std::byte& byte : bytes) byte &= std::byte{1};
  }
  return bytes;
}

/// The bytes of the sample's tensor of that dtype: eight elements.
inline Bytes sample_bytes(DType dtype) { return tensor_bytes(dtype, 8, static_cast<std::uint64_t>(dtype)); }

inline WriterOptions sample_options() {
  WriterOptions options;
  options.durable = false;
  options.small_alignment = 64;
  options.large_alignment = 1024;
  options.chunk_bytes = kMinChunkBytes;
  options.uuid = kSampleUuid;
  options.created_ns = 1'700'000'000'000'000'000;
  options.step = 51;
  return options;
}

/// Three nodes with a shared child and a slot; the tensors "w" and "w/m" must exist.
inline ObjectGraph sample_graph() {
  ObjectGraph graph;
  graph.nodes.resize(4);
  graph.nodes[0].edges = {{"model", 1}, {"optimizer", 3}, {"shared", 2}};
  graph.nodes[1].edges = {{"kernel", 2}};
  graph.nodes[2].tensor = "w";
  graph.nodes[3].edges = {{"m", 3}};
  graph.nodes[3].tensor = "w/m";
  graph.slots = {{1, 2, "m", 3}};
  return graph;
}

/// A file of a few KiB: every dtype, scalars, empty tensors, an alias, zstd in several chunks, a blob on the large
/// alignment, strings, a block type, metadata of every type, a graph with a cycle and a slot.
inline void write_sample(const std::filesystem::path& path) {
  Writer writer{path, sample_options()};
  for (const DType dtype : all_dtypes()) {
    const std::string name = "all/" + std::string{to_string(dtype)};
    if (dtype == DType::string || dtype == DType::bytes) {
      const std::vector<std::string> elements{"alpha", "", "\xce\xb2"};
      const Bytes encoded = encode_strings(elements);
      writer.begin(name, dtype, {3}, {}, encoded.size());
      writer.append(encoded);
      writer.end();
    } else if (dtype == DType::block) {
      writer.add(name, dtype, {2, 32}, random_bytes(36, 28), {.block = BlockType{"Q4_0", 18, 32}});
    } else {
      writer.add(name, dtype, {8}, sample_bytes(dtype));
    }
  }
  writer.add("empty", DType::f32, {2, 0, 3}, {});
  writer.add("large", DType::u8, {1024}, random_bytes(1024, 76));
  writer.add("scalar", DType::f64, {}, random_bytes(8, 77));
  writer.add("squeezed", DType::u8, {3, 65536}, smooth_bytes(3 * 65536, 1), {.compression = Compression::zstd});
  writer.add("w", DType::u8, {2, 3}, random_bytes(6, 78));
  writer.add("w/m", DType::u8, {2, 3}, random_bytes(6, 79));
  writer.alias("tied", "w");
  writer.set_metadata("bytes", Bytes{std::byte{0}, std::byte{0xff}});
  writer.set_metadata("float", 0.5);
  writer.set_metadata("int", std::int64_t{-7});
  writer.set_metadata("json", Json{"{\"a\": [1, 2]}"});
  writer.set_metadata("spare", Bytes(64));
  writer.set_metadata("text", std::string{"plain"});
  writer.set_graph(sample_graph());
  writer.commit();
}

/// A file with enough tensors for a table of paths: "t0" to "t79", a byte each.
inline void write_wide(const std::filesystem::path& path) {
  Writer writer{path, sample_options()};
  for (std::uint8_t i = 0; i < 80; ++i) writer.add<std::uint8_t>("t" + std::to_string(i), {}, std::span{&i, 1});
  writer.commit();
}

/// A copy of a tensor's bytes; the view may be a temporary.
inline Bytes bytes_of(const TensorView& view) { return to_vector(view.bytes()); }

/// Reads every byte, so that a bad pointer shows.
inline std::uint64_t touch(std::span<const std::byte> bytes) {
  std::uint64_t sum = 0;
  for (const std::byte byte : bytes) sum += std::to_integer<std::uint64_t>(byte);
  return sum;
}

/// What using a file led to.
struct Outcome {
  bool opened = false;
  std::size_t failed = 0;       ///< tensors that cannot be read, or found by their paths
  std::vector<Error> used;      ///< thrown by open and by each use
  std::vector<Error> decoded;   ///< thrown by views, which do not know their file
  std::vector<Error> verified;  ///< reported, or thrown, by verify
  bool refused() const { return !used.empty() || !verified.empty(); }
};

inline bool has_code(const std::vector<Error>& errors, ErrorCode code) {
  for (const Error& error : errors) {
    if (error.code() == code) return true;
  }
  return false;
}

/// Opens the file and uses all of it: records, bytes of every tensor, look-ups, metadata, graph, verify. Only
/// ckpt::Error may come out, and is collected.
inline Outcome use_everything(const std::filesystem::path& path, const ReaderOptions& options = {}) {
  Outcome outcome;
  std::optional<Reader> reader;
  const auto attempt = [&](std::vector<Error>& errors, const auto& call) {
    if (auto error = error_of(call)) errors.push_back(*std::move(error));
  };
  attempt(outcome.used, [&] { reader = Reader::open(path, options); });
  if (!reader) return outcome;
  outcome.opened = true;
  [[maybe_unused]] volatile std::uint64_t sink = 0;
  for (std::size_t i = 0; i < std::min<std::size_t>(reader->size(), 1000); ++i) {
    const std::size_t before = outcome.used.size();
    attempt(outcome.used, [&] {
      const TensorInfo info = reader->info(i);
      sink = sink + info.path.size() + info.shape.rank();
      const TensorView view = reader->tensor(i);
      sink = sink + touch(view.bytes());
      if (view.dtype() == DType::string || view.dtype() == DType::bytes) {
        attempt(outcome.decoded, [&] { sink = sink + view.strings().size(); });
      }
      sink = sink + (reader->find(info.path) ? 1U : 0U);
    });
    outcome.failed += outcome.used.size() - before;
  }
  for (const char* name : {"", "a", "model/kernel", "optimizer/m/m/m", "all/f32", "zzz", "\xff"}) {
    attempt(outcome.used, [&] { sink = sink + (reader->contains(name) ? 1U : 0U); });
  }
  attempt(outcome.used, [&] { sink = sink + reader->metadata().size(); });
  attempt(outcome.used, [&] { sink = sink + reader->graph().nodes.size(); });
  attempt(outcome.verified, [&] {
    VerifyReport report = reader->verify({.threads = 1});
    for (Error& error : report.problems) outcome.verified.push_back(std::move(error));
  });
  return outcome;
}

}  // namespace ckpt::test
