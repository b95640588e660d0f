#include "tool.hpp"

#include <ckpt/reader.hpp>

#include <catch2/catch.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <string>

using namespace ckpt;
using namespace ckpt::test;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("info says what is in a file") {
  const TempDir directory;
  const std::string file = (directory / "model.ckpt").string();
  write_model(file);
  const ToolResult result = run_tool({"info", file});
  CHECK(result.status == 0);
  CHECK(result.err.empty());
  const auto lines = lines_of(result.out);
  REQUIRE(lines.size() >= 4);
  CHECK(lines[0].starts_with(file + "   ckpt v1, "));
  CHECK(lines[0].ends_with(" KiB, not truncated"));
  CHECK(lines[1].starts_with("tensors   27    aliases 1    parameters 1,281    padding "));  // 800 + 12 * 40 + 1
  CHECK(has(lines[1], " %    index "));
  CHECK(lines[2].starts_with("dtypes    f32 24 (1.9 KiB)  bf16 2 (1.6 KiB)  i64 1 (8 B)    checksums xxh3-64"));
  CHECK(has(lines[2], "compression none    alignment 256 and 4096"));
  CHECK(lines[3].starts_with("meta      step=1000  created=2023-11-14T22:13:20Z"));
  CHECK(has(result.out, R"(config={"layers": 12})"));
  CHECK(has(result.out, "loss=2.25"));
  CHECK(has(result.out, "raw=0x00ff"));
}

TEST_CASE("info of a file with damaged data promises no more than it checked") {
  const TempDir directory;
  const std::string file = (directory / "model.ckpt").string();
  write_model(file);
  Bytes bytes = read_file(file);
  bytes[Reader::open(file).info(0).offset] ^= std::byte{1};
  write_file(file, bytes);
  const ToolResult result = run_tool({"info", file});
  CHECK(result.status == 0);
  CHECK(has(result.out, ", not truncated\n"));
  CHECK_FALSE(has(result.out, "complete"));
  CHECK(run_tool({"verify", file}).status == 1);
}

TEST_CASE("info -v adds layout, identifier and objects") {
  const TempDir directory;
  const std::string file = (directory / "sample.ckpt").string();
  write_sample(file);
  const std::string out = run_tool({"info", "-v", file}).out;
  CHECK(has(out, "uuid 01234567-89ab-4cdf-8011-223344556677"));
  CHECK(has(out, "objects   4    slots 1"));
  CHECK(has(out, "compression zstd 1 of " + std::to_string(Reader::open(file).size()) + " ("));
}

TEST_CASE("info --json of several files") {
  const TempDir directory;
  const std::string model = (directory / "model.ckpt").string();
  const std::string sample = (directory / "sample.ckpt").string();
  write_model(model);
  write_sample(sample);
  const ToolResult result = run_tool({"info", model, sample, "--json"});
  CHECK(result.status == 0);
  const nlohmann::json document = document_of(result);
  CHECK(document.at("command") == "info");
  REQUIRE(document.at("files").size() == 2);
  const nlohmann::json& first = document["files"][0];
  CHECK(first.at("file") == model);
  CHECK(first.at("truncated") == false);
  CHECK(first.at("tensors") == 27);
  CHECK(first.at("aliases") == 1);
  CHECK(first.at("parameters") == 1281);
  CHECK(first.at("bytes") == 1600 + 12 * 160 + 8);
  CHECK(first.at("file_bytes") == std::filesystem::file_size(model));
  CHECK(first.at("dtypes").at("f32").at("tensors") == 24);
  const nlohmann::json& metadata = first.at("metadata");
  CHECK(metadata.at("ckpt.step") == nlohmann::json{{"type", "int"}, {"value", 1000}});
  CHECK(metadata.at("loss") == nlohmann::json{{"type", "float"}, {"value", 2.25}});
  CHECK(metadata.at("note").at("value") == "first\x1b[31m try\n");
  CHECK(metadata.at("raw") == nlohmann::json{{"type", "bytes"}, {"value", "00ff"}});
  CHECK(metadata.at("config").at("type") == "json");
  const nlohmann::json& second = document["files"][1];
  CHECK(second.at("uuid") == "01234567-89ab-4cdf-8011-223344556677");
  CHECK(second.at("codecs").at("zstd").at("tensors") == 1);
}

TEST_CASE("info lists a hundred dtypes, and sums up the others") {
  const TempDir directory;
  const std::string file = (directory / "blocks.ckpt").string();
  WriterOptions options;
  options.durable = false;
  Writer writer{file, options};
  for (int i = 0; i < 150; ++i) {
    const std::string name = "Q" + std::to_string(1000 + i) + std::string(100, 'q');
    writer.add("t" + std::to_string(1000 + i), DType::block, {2}, Bytes(2), {.block = BlockType{name, 1, 1}});
  }
  writer.commit();
  const std::string out = run_tool({"info", file}).out;
  CHECK(has(out, "Q1000" + std::string(55, 'q') + "... 1 (2 B)"));
  CHECK(has(out, "others 50 (100 B)"));
  CHECK_FALSE(has(out, std::string(56, 'q')));
  const nlohmann::json info = document_of(run_tool({"info", file, "--json"})).at("files").at(0);
  CHECK(info.at("dtypes").size() == 100);
  CHECK(info.at("dtypes").contains("Q1099" + std::string(100, 'q')));
  CHECK(info.at("other_dtypes").at("tensors") == 50);
  CHECK(info.at("other_dtypes").at("bytes") == 100);
}

TEST_CASE("every byte of a file is counted once") {
  const TempDir directory;
  const std::string file = (directory / "sample.ckpt").string();
  write_sample(file);
  const nlohmann::json info = document_of(run_tool({"info", file, "--json"})).at("files").at(0);
  const auto number = [&](const char* name) { return info.at(name).get<std::uint64_t>(); };
  constexpr std::uint64_t kHeaderAndFooter = 128;
  CHECK(number("file_bytes") == kHeaderAndFooter + number("stored_bytes") + number("padding_bytes") +
                                    number("index_bytes") + number("page_sums_bytes"));
}

TEST_CASE("info with patterns counts what they select") {
  const TempDir directory;
  const std::string file = (directory / "model.ckpt").string();
  write_model(file);
  const auto all = document_of(run_tool({"info", file, "--json"})).at("files").at(0);
  const auto some = document_of(run_tool({"info", file, "--json", "--include", "layers/3"})).at("files").at(0);
  CHECK(some.at("selected") == 2);
  CHECK(some.at("parameters") == 40);
  CHECK(some.at("tensors") == 27);
  CHECK(some.at("padding_bytes") == all.at("padding_bytes"));
  CHECK(has(run_tool({"info", file, "--include", "layers/3"}).out, "tensors   2 of 27    parameters 40    "));
}
