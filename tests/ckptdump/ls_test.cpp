#include "tool.hpp"

#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/files.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <string>

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("ls prints paths in order") {
  const TempDir directory;
  const std::string file = (directory / "model.ckpt").string();
  write_model(file);
  const ToolResult result = run_tool({"ls", file});
  CHECK(result.status == 0);
  CHECK(result.err.empty());
  const auto lines = lines_of(result.out);
  REQUIRE(lines.size() == 27);
  CHECK(lines[0] == "embed/weight");
  CHECK(lines[1] == "head/weight");
  CHECK(lines[2] == "layers/0/bias");
  CHECK(lines[26] == "step");
}

TEST_CASE("ls --long has columns that stand below their heads") {
  const TempDir directory;
  const std::string file = (directory / "model.ckpt").string();
  write_model(file);
  const auto lines = lines_of(run_tool({"ls", "--long", file}).out);
  REQUIRE(lines.size() == 28);
  CHECK(lines[0].starts_with("DTYPE  SHAPE "));
  const std::size_t column = lines[0].find("PATH");
  REQUIRE(column != std::string::npos);
  CHECK(lines[1].starts_with("bf16   [100, 8]  1.6 KiB  0x"));
  CHECK(lines[1].substr(column) == "embed/weight");
  CHECK(lines[2].substr(column) == "head/weight -> embed/weight");
  CHECK(lines[27].substr(column) == "step");
  CHECK(lines[27].starts_with("i64    []  "));
  CHECK(lines[27].find("     8 B  0x") != std::string::npos);
}

TEST_CASE("ls --json tells all of every tensor") {
  const TempDir directory;
  const std::string file = (directory / "sample.ckpt").string();
  write_sample(file);
  const ToolResult result = run_tool({"ls", "--json", file});
  CHECK(result.status == 0);
  const nlohmann::json document = document_of(result);
  CHECK(document.at("command") == "ls");
  CHECK(document.at("file") == file);
  const nlohmann::json& tensors = document.at("tensors");
  const Reader reader = Reader::open(file);
  REQUIRE(tensors.size() == reader.size());
  for (std::size_t i = 0; i < reader.size(); ++i) {
    const TensorInfo info = reader.info(i);
    const nlohmann::json& tensor = tensors[i];
    CHECK(tensor.at("path") == std::string{info.path});
    CHECK(tensor.at("dtype") == std::string{to_string(info.dtype)});
    CHECK(tensor.at("shape").size() == info.shape.rank());
    CHECK(tensor.at("bytes") == info.size_bytes);
    CHECK(tensor.at("stored_bytes") == info.stored_bytes);
    CHECK(tensor.at("offset") == info.offset);
    CHECK(tensor.at("chunks") == info.chunks);
    CHECK(tensor.contains("alias_of") == info.alias_of.has_value());
    CHECK(tensor.contains("block") == info.block.has_value());
  }
  const nlohmann::json squeezed = tensors.at(*reader.find("squeezed"));
  CHECK(squeezed.at("codec") == "zstd");
  CHECK(squeezed.at("shape") == nlohmann::json{3, 65536});
  CHECK(tensors.at(*reader.find("tied")).at("alias_of") == "w");
  CHECK(tensors.at(*reader.find("all/block")).at("block").at("name") == "Q4_0");
}

TEST_CASE("ls of a file without tensors is empty and fine") {
  const TempDir directory;
  const std::string file = (directory / "empty.ckpt").string();
  WriterOptions options;
  options.durable = false;
  Writer{file, options}.commit();
  for (const char* command : {"ls", "tree"}) {
    const ToolResult result = run_tool({command, file, "--include", "x"});
    CHECK(result.status == 0);
    CHECK(result.out.empty());
    CHECK(result.err.empty());
  }
  CHECK(run_tool({"ls", "-l", file}).out.empty());
  CHECK(document_of(run_tool({"ls", "--json", file})).at("tensors").empty());
  CHECK(run_tool({"verify", file}).status == 0);
  CHECK(run_tool({"info", file}).status == 0);
}
