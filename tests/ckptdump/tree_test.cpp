#include "tool.hpp"

#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/files.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <string>

using namespace ckpt;
using namespace ckpt::test;

namespace {

const nlohmann::json& child(const nlohmann::json& node, const std::string& name) {
  for (const nlohmann::json& candidate : node.at("children")) {
    if (candidate.at("name") == name) return candidate;
  }
  FAIL("no child " << name);
  return node;
}

std::string write_named(const TempDir& directory, const std::vector<std::string>& paths) {
  const std::string file = (directory / "named.ckpt").string();
  WriterOptions options;
  options.durable = false;
  Writer writer{file, options};
  for (const std::string& path : paths) writer.add(path, DType::u8, {10}, random_bytes(10, 1));
  writer.commit();
  return file;
}

}  // namespace

TEST_CASE("tree groups by components, and shows lists and aliases") {
  const TempDir directory;
  const std::string file = (directory / "model.ckpt").string();
  write_model(file);
  const ToolResult result = run_tool({"tree", file, "--depth", "2"});
  CHECK(result.status == 0);
  const auto lines = lines_of(result.out);
  REQUIRE(lines.size() == 18);
  CHECK(lines[0] == "embed        800  1.6 KiB   45.4 %");
  CHECK(lines[1] == "└─ weight    800  1.6 KiB   45.4 %  bf16 [100, 8]");
  CHECK(lines[2] == "head           0      0 B    0.0 %");
  CHECK(lines[3] == "└─ weight  -> embed/weight");
  CHECK(lines[4] == "layers [12]  480  1.9 KiB   54.4 %");
  CHECK(lines[5] == "├─ 0          40    160 B    4.5 %");
  CHECK(lines[7] == "├─ 2          40    160 B    4.5 %");
  CHECK(lines[16] == "└─ 11         40    160 B    4.5 %");
  CHECK(lines[17] == "step           1      8 B    0.2 %  i64 []");
}

TEST_CASE("tree --depth counts what it does not show") {
  const TempDir directory;
  const std::string file = (directory / "model.ckpt").string();
  write_model(file);
  const auto lines = lines_of(run_tool({"tree", file, "--depth", "1"}).out);
  REQUIRE(lines.size() == 4);
  CHECK(lines[2] == "layers [12]  480  1.9 KiB   54.4 %");
  CHECK(lines_of(run_tool({"tree", file}).out).size() == 42);
}

TEST_CASE("text has no parameters, rather than 0") {
  const TempDir directory;
  const std::string file = (directory / "text.ckpt").string();
  WriterOptions options;
  options.durable = false;
  Writer writer{file, options};
  const std::vector<std::string> name{"a name"};
  writer.add("a", DType::string, {}, encode_strings(name));
  writer.add("b", DType::bytes, {1}, encode_strings(name));
  writer.add("c", DType::u8, {0}, {});
  writer.commit();
  const std::string expected =
      "a  -  22 B   50.0 %  string []\n"
      "b  -  22 B   50.0 %  bytes [1]\n"
      "c  0   0 B    0.0 %  u8 [0]\n";
  CHECK(run_tool({"tree", file}).out == expected);
}

TEST_CASE("tree draws nested branches") {
  const TempDir directory;
  const std::string file = write_named(directory, {"a/b/c", "a/b/d", "a/e"});
  const std::string expected =
      "a        30  30 B  100.0 %\n"
      "├─ b     20  20 B   66.7 %\n"
      "│  ├─ c  10  10 B   33.3 %  u8 [10]\n"
      "│  └─ d  10  10 B   33.3 %  u8 [10]\n"
      "└─ e     10  10 B   33.3 %  u8 [10]\n";
  CHECK(run_tool({"tree", file}).out == expected);
}

TEST_CASE("names that sort between a group and its members do not split it") {
  const TempDir directory;
  const std::string file = write_named(directory, {"a", "a-b/x", "a/x", "a/y", "a.c"});
  const nlohmann::json document = document_of(run_tool({"tree", file, "--json"}));
  CHECK(document.at("children").size() == 3);
  CHECK(child(document, "a").at("bytes") == 30);
  CHECK(child(document, "a").at("tensor").at("path") == "a");
  CHECK(child(document, "a").at("children").size() == 2);
}

TEST_CASE("a list is 0 to n-1 and nothing else") {
  const TempDir directory;
  const std::string file =
      write_named(directory, {"gap/0", "gap/2", "named/0", "named/x", "ok/0", "ok/1", "padded/00", "padded/1"});
  const nlohmann::json document = document_of(run_tool({"tree", file, "--json"}));
  CHECK_FALSE(child(document, "gap").contains("list"));
  CHECK_FALSE(child(document, "named").contains("list"));
  CHECK_FALSE(child(document, "padded").contains("list"));
  CHECK(child(document, "ok").at("list") == 2);
}

TEST_CASE("tree shows shared objects of the graph once, and the other paths as links") {
  const TempDir directory;
  const std::string file = (directory / "sample.ckpt").string();
  write_sample(file);
  const nlohmann::json document = document_of(run_tool({"tree", file, "--json"}));
  CHECK(child(child(document, "model"), "kernel").at("same_as") == "w");
  CHECK(child(document, "shared").at("same_as") == "w");
  CHECK(child(document, "optimizer").at("same_as") == "w/m");
  CHECK(child(document, "tied").at("same_as") == "w");
  const std::string out = run_tool({"tree", file}).out;
  CHECK(out.find("└─ kernel  -> w\n") != std::string::npos);
  CHECK(out.find("\nshared  -> w\n") != std::string::npos);
}

TEST_CASE("tree shows 64 levels, and says so where there are more") {
  const TempDir directory;
  std::string deep = "a";
  for (int i = 1; i < 70; ++i) deep += "/a";
  const std::string file = write_named(directory, {"b", deep});
  const std::string note = "ckptdump: note: 64 of 70 levels are shown: what is deeper is counted, and 'ckptdump ls' ";
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"tree", file}, {"tree", file, "--depth", "69"}}) {
    const ToolResult result = run_tool(arguments);
    CHECK(result.status == 0);
    CHECK(lines_of(result.out).size() == 65);
    CHECK(result.out.starts_with("a "));
    CHECK(result.err == note + "lists it\n");
  }
  CHECK(run_tool({"tree", file, "-q"}).err.empty());
  const ToolResult asked = run_tool({"tree", file, "--depth", "64"});
  CHECK(lines_of(asked.out).size() == 65);
  CHECK(asked.err.empty());
  const ToolResult json = run_tool({"tree", file, "--json"});
  const nlohmann::json document = document_of(json);
  CHECK(document.at("levels") == 70);
  CHECK(document.at("levels_shown") == 64);
  CHECK(json.err == note + "lists it\n");
}

TEST_CASE("a long name does not widen the lines of the others") {
  const TempDir directory;
  const std::string file = write_named(directory, {"a", std::string(1000, 'n')});
  const auto lines = lines_of(run_tool({"tree", file}).out);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].size() < 150);
  CHECK(lines[1].starts_with(std::string(1000, 'n') + "  10  10 B"));
}

TEST_CASE("tree --json adds up") {
  const TempDir directory;
  const std::string file = (directory / "model.ckpt").string();
  write_model(file);
  const nlohmann::json document = document_of(run_tool({"tree", file, "--json"}));
  CHECK(document.at("parameters") == 1281);
  CHECK(document.at("bytes") == 3528);
  CHECK(child(document, "layers").at("list") == 12);
  CHECK(child(document, "layers").at("parameters") == 480);
  CHECK(child(document, "layers").at("percent").get<double>() == Approx(100.0 * 1920 / 3528));
  const nlohmann::json& kernel = child(child(child(document, "layers"), "11"), "kernel");
  CHECK(kernel.at("tensor").at("shape") == nlohmann::json{4, 8});
  CHECK(child(child(document, "head"), "weight").at("same_as") == "embed/weight");
  const nlohmann::json flat = document_of(run_tool({"tree", file, "--json", "--depth", "1"}));
  CHECK_FALSE(child(flat, "layers").contains("children"));
  CHECK(flat.at("levels") == 3);
  CHECK(flat.at("levels_shown") == 1);
}
