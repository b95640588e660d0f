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

// Little data, so that most of the bytes matter and a fuzzer is quick: the sample without its large tensors.
void write_features(const std::filesystem::path& path) {
  Writer writer{path, sample_options()};
  writer.add("a", DType::f32, {2}, random_bytes(8, 1));
  writer.alias("b/tied", "a");
  writer.add("block", DType::block, {32}, random_bytes(18, 2), {.block = BlockType{"Q4_0", 18, 32}});
  writer.add("d", DType::bf16, {400}, normal_bf16(800, 1), {.compression = Compression::zstd});
  writer.add("e", DType::boolean, {3}, tensor_bytes(DType::boolean, 3, 1));
  writer.add("s", DType::string, {2}, encode_strings(std::vector<std::string>{"alpha", "\xce\xb2"}));
  writer.add("text", DType::u8, {4000}, smooth_bytes(4000, 1), {.compression = Compression::zstd});
  writer.add("w", DType::u8, {2, 3}, random_bytes(6, 78));
  writer.add("w/m", DType::u8, {2, 3}, random_bytes(6, 79));
  writer.set_metadata("int", std::int64_t{-7});
  writer.set_metadata("json", Json{R"({"a": [1, 2]})"});
  writer.set_metadata("text", std::string{"plain"});
  writer.set_graph(sample_graph());
  writer.commit();
}

void write_two_chunks(const std::filesystem::path& path) {
  Writer writer{path, sample_options()};
  writer.add("b/c", DType::u8, {65537}, smooth_bytes(65537, 1), {.compression = Compression::zstd});
  writer.commit();
}

// What fuzz_directory.cpp reads.
class DirectoryInput {
 public:
  DirectoryInput& add(unsigned kind, std::string_view name, std::string_view content = {}) {
    text_ += static_cast<char>(kind);
    text_ += static_cast<char>(name.size());
    text_ += name;
    text_ += static_cast<char>(content.size());
    text_ += static_cast<char>(content.size() >> 8U);
    text_ += content;
    return *this;
  }
  void store(const std::filesystem::path& path) const { write_file(path, text_); }

 private:
  std::string text_;
};

constexpr unsigned kBytes = 0, kState = 1, kCheckpoint = 2, kDamaged = 3, kLink = 4, kDirectory = 5;

void write_directories(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const std::string list =
      "ckpt-state 1\nlatest ckpt-12.ckpt\nlast_preserved 1700000000.5\nrule max_to_keep 1\nrule keep_best 1 lower "
      "loss\n"
      "preserved 1700000000.5 ckpt-1.ckpt\nheld 1700000060 ckpt-7.ckpt\nactive 1700000600 ckpt-11.ckpt\n"
      "active 1700001200 ckpt-12.ckpt\n";
  DirectoryInput whole;
  whole.add(kCheckpoint, "ckpt-1.ckpt", "0").add(kCheckpoint, "ckpt-7.ckpt", "1").add(kCheckpoint, "ckpt-11.ckpt", "2");
  whole.add(kState, "ckpt.state", list).add(kBytes, ".ckpt.lock").add(kBytes, "ckpt-7.ckpt.pin");
  DirectoryInput damaged = whole;
  whole.add(kCheckpoint, "ckpt-12.ckpt", "3").store(folder / "whole");
  damaged.add(kDamaged, "ckpt-12.ckpt", "3ab1").add(kBytes, ".ckpt-13.ckpt.0123456789abcdef.tmp", "half");
  damaged.store(folder / "damaged");
  DirectoryInput{}
      .add(kCheckpoint, "a-1.ckpt", "1")
      .add(kLink, "a-2.ckpt", "../outside")
      .add(kLink, "a.state", "a-1.ckpt")
      .add(kDirectory, "b-1.ckpt")
      .add(kCheckpoint, "b-9223372036854775807.ckpt", "2")
      .add(kBytes, "b.state", "rubbish")
      .store(folder / "links");
}

void write_names(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  write_file(folder / "rename", "net/layer\nnet/layer\nother\nnet/kernel\nnet/**");
  write_file(folder / "stars", "net/*/ker*\nnet/*/ker*\nnet/layer/kernel");
  write_file(folder / "nowhere", "**\n\nnet");
  write_file(folder / "glob", "l*[0-9a-f].[!x]?\\*\nl17.b0*");
}

Bytes chunk_input(const Bytes& content, codec::PlaneLayout layout) {
  Bytes input{static_cast<std::byte>(content.size()), static_cast<std::byte>(content.size() >> 8U),
              static_cast<std::byte>(content.size() >> 16U)};
  codec::ChunkEncoder encoder{1};
  const auto stored = encoder.encode(content, encoder.choose(content, layout).coding);
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
  for (const char* fuzzer : {"fuzz_open", "fuzz_use"}) {
    std::filesystem::create_directories(folder / fuzzer);
    write_features(folder / fuzzer / "features.ckpt");
    write_two_chunks(folder / fuzzer / "two_chunks.ckpt");
    write_wide(folder / fuzzer / "wide.ckpt");
    Writer{folder / fuzzer / "empty.ckpt", sample_options()}.commit();
  }
  write_directories(folder / "fuzz_directory");
  write_names(folder / "fuzz_names");
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
