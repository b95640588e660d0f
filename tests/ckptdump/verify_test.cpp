#include "tool.hpp"

#include <ckpt/reader.hpp>

#include <catch2/catch.hpp>
#include <support/files.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <string>

using namespace ckpt;
using namespace ckpt::test;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void flip(const std::string& file, std::uint64_t offset) {
  Bytes bytes = read_file(file);
  bytes.at(offset) ^= std::byte{1};
  write_file(file, bytes);
}

std::uint64_t offset_of(const std::string& file, const std::string& path) {
  const Reader reader = Reader::open(file);
  return reader.info(*reader.find(path)).offset;
}

}  // namespace

TEST_CASE("a whole file verifies") {
  const TempDir directory;
  const std::string file = (directory / "sample.ckpt").string();
  write_sample(file);
  const std::string count = std::to_string(Reader::open(file).size());
  const ToolResult result = run_tool({"verify", file});
  CHECK(result.status == 0);
  CHECK(is_one_line(result.out));
  CHECK(result.out.starts_with(count + " of " + count + " tensors, "));
  CHECK(has(result.out, "verified in "));
  CHECK(result.err.empty());
  CHECK(run_tool({"verify", "-q", file}).out.empty());
  const nlohmann::json document = document_of(run_tool({"verify", file, "--json"}));
  const nlohmann::json& first = document.at("files").at(0);
  CHECK(first.at("ok") == true);
  CHECK(first.at("checked") == Reader::open(file).size());
  CHECK(first.at("bytes") == std::filesystem::file_size(file));
  CHECK(first.at("problems").empty());
}

TEST_CASE("damage of a tensor names it, and gives status 1") {
  const TempDir directory;
  const std::string file = (directory / "bad.ckpt").string();
  write_model(file);
  flip(file, offset_of(file, "layers/3/kernel") + 5);
  const ToolResult result = run_tool({"verify", file});
  CHECK(result.status == 1);
  CHECK(result.err.empty());
  const auto lines = lines_of(result.out);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].starts_with(file + ": layers/3/kernel: "));
  CHECK(has(lines[0], "at offset 0x"));
  CHECK(lines[1].starts_with(file + ": 1 of 27 tensors damaged, "));
  CHECK(lines_of(run_tool({"verify", "-q", file}).out).size() == 1);
  const ToolResult json = run_tool({"verify", file, "--json"});
  CHECK(json.status == 1);
  const nlohmann::json first = document_of(json).at("files").at(0);
  CHECK(first.at("ok") == false);
  CHECK(first.at("damaged") == 1);
  CHECK(first.at("problems").at(0).at("code") == "corrupt");
  CHECK(first.at("problems").at(0).at("object") == "layers/3/kernel");
  CHECK(first.at("problems").at(0).contains("offset"));
}

TEST_CASE("patterns verify those tensors alone") {
  const TempDir directory;
  const std::string file = (directory / "bad.ckpt").string();
  write_model(file);
  flip(file, offset_of(file, "layers/3/kernel"));
  const ToolResult good = run_tool({"verify", file, "--exclude", "layers/3"});
  CHECK(good.status == 0);
  CHECK(good.out.starts_with("25 of 27 tensors, "));
  const ToolResult bad = run_tool({"verify", file, "--include", "layers/3"});
  CHECK(bad.status == 1);
  CHECK(has(bad.out, "layers/3/kernel: "));
  CHECK(has(bad.out, "1 of 2 tensors damaged"));
}

TEST_CASE("one flipped byte anywhere gives status 1, or 3 where the version or a feature changes") {
  const TempDir directory;
  const std::string file = (directory / "model.ckpt").string();
  write_model(file);
  const Bytes whole = read_file(file);
  const std::string bad = (directory / "bad.ckpt").string();
  for (std::size_t offset = 0; offset < whole.size(); offset += offset < 64 ? 3 : 97) {
    Bytes bytes = whole;
    bytes[offset] ^= std::byte{0x10};
    write_file(bad, bytes);
    const ToolResult result = run_tool({"verify", bad});
    INFO("offset " << offset << ": " << result.out << result.err);
    CHECK((result.status == 1 || (offset < 64 && result.status == 3)));
    CHECK((result.out.empty() != result.err.empty()));
  }
}

TEST_CASE("several files: each is named, and the highest status is returned") {
  const TempDir directory;
  const std::string good = (directory / "good.ckpt").string();
  const std::string bad = (directory / "bad.ckpt").string();
  const std::string missing = (directory / "missing.ckpt").string();
  write_model(good);
  write_model(bad);
  flip(bad, offset_of(bad, "step"));
  const ToolResult two = run_tool({"verify", bad, good});
  CHECK(two.status == 1);
  CHECK(has(two.out, bad + ": step: "));
  CHECK(has(two.out, good + ": 27 of 27 tensors, "));
  const ToolResult three = run_tool({"verify", bad, missing, good});
  CHECK(three.status == 2);
  CHECK(has(three.out, good + ": 27 of 27 tensors, "));
  CHECK(has(three.err, missing + ": no such file"));
  const ToolResult json = run_tool({"verify", "--json", bad, missing, good});
  CHECK(json.status == 2);
  const nlohmann::json files = document_of(json).at("files");
  REQUIRE(files.size() == 3);
  CHECK(files[0].at("ok") == false);
  CHECK(files[1].at("error").at("code") == "not_found");
  CHECK(files[2].at("ok") == true);
}
