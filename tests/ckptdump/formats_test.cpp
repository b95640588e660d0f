// Other formats are recognised by their content and refused by name.
#include "tool.hpp"

#include <catch2/catch.hpp>
#include <support/file_image.hpp>
#include <support/files.hpp>
#include <support/temp_dir.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace ckpt::test;
using namespace std::string_literals;

namespace {

std::string safetensors() {
  const std::string header = R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  return std::string(1, static_cast<char>(header.size())) + "\0\0\0\0\0\0\0"s + header + "\0\0\0\0"s;
}

std::string zip_with(const std::string& name) {
  return "PK\x03\x04\x14\0\0\0\0\0"s + std::string(16, '\0') + static_cast<char>(name.size()) + "\0\0\0"s + name;
}

}  // namespace

TEST_CASE("a file of another known format is refused by name, with status 3") {
  struct Case {
    std::string content;
    std::string name;
  };
  const std::vector<Case> cases{
      {safetensors(), "a safetensors file"},
      {"GGUF\3\0\0\0"s + std::string(16, '\0'), "a GGUF file"},
      {zip_with("archive/data.pkl"), "a PyTorch file"},
      {zip_with("model.weights.h5"), "a Keras file"},
      {zip_with("w.npy"), "a NumPy .npz archive"},
      {zip_with("readme.txt"), "a ZIP archive"},
      {"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", "a PyTorch file of before version 1.6"},
      {"\x93NUMPY\1\0v\0{'descr': '<f4'}"s, "a NumPy .npy file"},
      {"\x89HDF\r\n\x1a\n\0\0\0\0"s, "an HDF5 file"},
      {std::string(512, '\0') + "\x89HDF\r\n\x1a\n", "an HDF5 file"},
      {"model_checkpoint_path: \"ckpt-3\"\n", "the state file of a directory of TensorFlow checkpoints"},
      {std::string(100, '\0') + "\x57\xfb\x80\x8b\x24\x75\x47\xdb", "the index of a TensorFlow checkpoint"},
      {"\0\0\0\0FT01"s, "an ExecuTorch .ptd file"},
      {"\x28\xb5\x2f\xfd\x04", "a file compressed by zstd"},
      {"\x1f\x8b\x08\0"s, "a file compressed by gzip"},
  };
  const TempDir directory;
  // The name does not matter.
  const std::string file = (directory / "weights.ckpt").string();
  for (const Case& sample : cases) {
    write_file(file, sample.content);
    for (const char* command : {"info", "ls", "tree", "verify"}) {
      const ToolResult result = run_tool({command, file});
      INFO(sample.name << ": " << result.err);
      CHECK(result.status == 3);
      CHECK(result.out.empty());
      CHECK(is_one_line(result.err));
      CHECK(result.err.starts_with("ckptdump: " + file + ": this is " + sample.name +
                                   ", which this version does not read; "));
    }
  }
}

TEST_CASE("a checkpoint is a checkpoint under any name") {
  const TempDir directory;
  const std::string file = (directory / "model.safetensors").string();
  write_model(file);
  CHECK(run_tool({"info", file}).status == 0);
}

TEST_CASE("a newer version and a feature that is unknown give status 3") {
  const TempDir directory;
  const std::string file = (directory / "model.ckpt").string();
  write_model(file);
  for (const std::size_t field : {at::kMajor, at::kRequired + 5}) {
    FileImage image{file};
    image.set(field, std::uint8_t{2});
    image.seal_header();
    const std::string newer = (directory / "newer.ckpt").string();
    image.store(newer);
    for (const char* command : {"info", "ls", "tree", "verify"}) {
      const ToolResult result = run_tool({command, newer});
      INFO(result.err);
      CHECK(result.status == 3);
      CHECK(is_one_line(result.err));
    }
  }
}
