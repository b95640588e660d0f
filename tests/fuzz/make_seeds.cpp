// Writes the inputs that the fuzzers start from, a folder each, where there is none yet.
//
// usage: make_seeds FOLDER
#include "codec/chunk.hpp"
#include "manager/rules.hpp"
#include "manager/state.hpp"

#include <ckpt/writer.hpp>

#include <support/files.hpp>
#include <support/floats.hpp>
#include <support/sample.hpp>

#include <cstdlib>
#include <filesystem>
#include <iostream>

using namespace ckpt;
using namespace ckpt::test;

namespace {

// Few tensors, so that most of the bytes matter.
void write_tiny(const std::filesystem::path& path) {
  Writer writer{path, sample_options()};
  writer.add("a", DType::f32, {2}, random_bytes(8, 1));
  writer.add("b/c", DType::u8, {65537}, smooth_bytes(65537, 1), {.compression = Compression::zstd});
  writer.add("d", DType::bf16, {400}, normal_bf16(800, 1), {.compression = Compression::zstd});
  writer.commit();
}

Bytes chunk_input(const Bytes& content, codec::PlaneLayout layout) {
  Bytes input{static_cast<std::byte>(content.size()), static_cast<std::byte>(content.size() >> 8U),
              static_cast<std::byte>(content.size() >> 16U)};
  codec::ChunkEncoder encoder{1};
  const auto stored = encoder.encode(content, layout, encoder.choose(content, layout).codings);
  input.insert(input.end(), stored.begin(), stored.end());
  return input;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: make_seeds FOLDER\n";
    return 2;
  }
  const std::filesystem::path folder = arguments[1];
  for (const char* fuzzer : {"fuzz_open", "fuzz_sealed"}) {
    std::filesystem::create_directories(folder / fuzzer);
    write_sample(folder / fuzzer / "sample.ckpt");
    write_tiny(folder / fuzzer / "tiny.ckpt");
    Writer{folder / fuzzer / "empty.ckpt", sample_options()}.commit();
  }
  std::filesystem::create_directories(folder / "fuzz_chunk");
  write_file(folder / "fuzz_chunk" / "smooth", chunk_input(smooth_bytes(5000, 1), {1, false}));
  write_file(folder / "fuzz_chunk" / "random", chunk_input(random_bytes(300, 1), {2, false}));
  write_file(folder / "fuzz_chunk" / "bf16", chunk_input(normal_bf16(1000, 1), {2, true}));
  write_file(folder / "fuzz_chunk" / "f32", chunk_input(normal_floats(2000, 1), {4, true}));
  write_file(folder / "fuzz_chunk" / "zeros", chunk_input(Bytes(4000), {8, true}));
  std::filesystem::create_directories(folder / "fuzz_state");
  using manager::Standing;
  const manager::Entries two{{"test-1.ckpt", 1, 1'700'000'000.25, Standing::active},
                             {"test-12.ckpt", 12, 1'700'000'060, Standing::active}};
  const manager::Entries kinds{{"test-1.ckpt", 1, 1'699'996'400.5, Standing::preserved},
                               {"test-7.ckpt", 7, 1'700'000'000.25, Standing::held},
                               {"test-12.ckpt", 12, 1'700'000'060, Standing::active}};
  const RetentionRules rules{3, 1.5, 24.0, 10'000, {{"val loss", 2, Better::lower}, {"acc", 1, Better::higher}}};
  write_file(folder / "fuzz_state" / "two", manager::format_state({two, std::nullopt, std::nullopt}));
  write_file(folder / "fuzz_state" / "kinds", manager::format_state({kinds, 1'699'996'400.5, std::nullopt}));
  write_file(folder / "fuzz_state" / "rules", manager::format_state({kinds, 1'699'996'400.5, rules}));
  write_file(folder / "fuzz_state" / "rules_alone", manager::format_rules(rules));
  write_file(folder / "fuzz_state" / "pin", "test-51.ckpt.pin");
  write_file(folder / "fuzz_state" / "none", manager::format_state({}));
  write_file(folder / "fuzz_state" / "name", "test-51.ckpt");
}
