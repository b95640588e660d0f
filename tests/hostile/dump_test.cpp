// ckptdump looks at every hostile file: it says what is wrong with it, ends as it promises, and sends nothing to the
// terminal that this would obey.
#include "../ckptdump/tool.hpp"
#include "case.hpp"

#include <ckpt/limits.hpp>
#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace ckpt::test;
using namespace ckpt::test::hostile;

namespace {

// ASCII, but for what is printed as it is in names: no control character besides the end of a line, no mark that turns
// the direction of text, no byte order mark.
bool is_harmless(const std::string& text) {
  const bool control = std::ranges::any_of(text, [](char c) { return (c >= 0 && c < 0x20 && c != '\n') || c == 0x7f; });
  const auto has = [&](const char* mark) { return text.find(mark) != std::string::npos; };
  return !control && !has("\xe2\x80\xae") && !has("\xef\xbb\xbf") && !has("\xc2\x85") && !has("\xc2\x9b");
}

bool is_accepted(const Case& test) { return test.verdict == Verdict::accept || test.verdict == Verdict::decode; }

struct File {
  const Case* test;
  Variant variant;
  std::string path;
};

std::vector<File> write_all(const Cases& cases, const TempDir& dir) {
  std::vector<File> files;
  Forge forge;
  for (const Case& test : cases) {
    for (const Variant variant : {Variant::left, Variant::repaired}) {
      if (variant == Variant::left && test.seal == Seal::none) continue;
      const std::filesystem::path path = dir / file_name(test, variant);
      forge.make(test, variant).store(path);
      files.push_back({&test, variant, path.string()});
    }
  }
  return files;
}

// 1: damaged; 3: the file is over a limit, or needs another version.
int status_of(const Case& test) { return test.code == ckpt::ErrorCode::corrupt ? 1 : 3; }

// Runs the command on many files at once.
void check_together(std::vector<std::string> arguments, const std::vector<File>& files) {
  const std::string command = arguments.front();
  for (const File& file : files) arguments.push_back(file.path);
  const ToolResult result = run_tool(arguments);
  INFO(command << ": " << result.err.substr(0, 2000));
  CHECK((result.status == 1 || result.status == 3));
  CHECK(is_harmless(result.out));
  CHECK(is_harmless(result.err));
}

}  // namespace

TEST_CASE("ckptdump verify gives each hostile file its verdict") {
  const TempDir dir;
  const Cases cases = all_cases();
  const std::vector<File> files = write_all(cases, dir);
  std::vector<std::string> arguments{"verify", "--json"};
  for (const File& file : files) arguments.push_back(file.path);
  const nlohmann::json document = document_of(run_tool(arguments));
  REQUIRE(document.at("files").size() == files.size());
  for (std::size_t i = 0; i < files.size(); ++i) {
    const nlohmann::json& found = document.at("files").at(i);
    INFO(files[i].path << '\n' << found.dump());
    const bool whole = !found.contains("error") && found.at("ok").get<bool>();
    CHECK(whole == (files[i].variant == Variant::repaired && is_accepted(*files[i].test)));
    if (!found.contains("error")) continue;
    const auto code = found.at("error").at("code").get<std::string>();
    if (files[i].variant == Variant::repaired) CHECK(code == to_string(files[i].test->code));
  }
}

TEST_CASE("ckptdump info and verify read all hostile files in one go") {
  const TempDir dir;
  const Cases cases = all_cases();
  const std::vector<File> files = write_all(cases, dir);
  for (const char* option : {"--json", "-v"}) {
    check_together({"info", option}, files);
    check_together({"verify", option}, files);
  }
}

TEST_CASE("ckptdump ls and tree keep their heads on each hostile file") {
  const TempDir dir;
  const Cases cases = all_cases();
  std::size_t refused = 0;
  for (const File& file : write_all(cases, dir)) {
    if (file.variant == Variant::left) continue;
    // All commands open a file in one way: of those that are refused then, a few do.
    if (file.test->verdict == Verdict::open && refused++ % 16 != 0) continue;
    for (const char* command : {"ls", "tree"}) {
      const ToolResult result = run_tool({command, file.path});
      INFO(command << ' ' << file.path << ": " << result.status << '\n' << result.out << result.err);
      CHECK((result.status == 0 || result.status == status_of(*file.test)));
      if (file.test->verdict == Verdict::open) CHECK(result.status == status_of(*file.test));
      if (file.test->verdict == Verdict::accept) CHECK(result.status == 0);
      CHECK((result.status == 0) == result.err.empty());
      CHECK(is_harmless(result.out));
      CHECK(is_harmless(result.err));
    }
  }
}

TEST_CASE("objects and paths that are nested deeper than any stack are shown") {
  const TempDir dir;
  const std::string file = (dir / "deep.ckpt").string();
  constexpr std::uint32_t kNodes = 100'000;
  {
    ckpt::Writer writer{file, sample_options()};
    const std::byte zero{};
    std::string deepest = "a";
    while (deepest.size() + 2 <= ckpt::kMaxPathBytes) deepest += "/a";
    writer.add(deepest, ckpt::DType::u8, {}, {&zero, 1});
    writer.add("end", ckpt::DType::u8, {}, {&zero, 1});
    ckpt::ObjectGraph graph;
    graph.nodes.resize(kNodes);
    for (std::uint32_t i = 0; i + 1 < kNodes; ++i) graph.nodes[i].edges = {{"n", i + 1}, {"other", i}};
    graph.nodes.back().tensor = "end";
    writer.set_graph(graph);
    writer.commit();
  }
  for (const char* command : {"info", "ls", "tree", "verify"}) {
    for (const char* option : {"--json", "-v"}) {
      const ToolResult result = run_tool({command, option, file});
      INFO(command << ' ' << option << ": " << result.status << ' ' << result.err);
      CHECK(result.status == 0);
    }
  }
}

TEST_CASE("metadata that is nested deeper than any stack is shown") {
  const TempDir dir;
  const std::string file = (dir / "deep.ckpt").string();
  {
    ckpt::Writer writer{file, sample_options()};
    writer.set_metadata("balanced", ckpt::Json{std::string(1U << 20U, '[') + std::string(1U << 20U, ']')});
    writer.set_metadata("cut off", ckpt::Json{std::string(1U << 20U, '[')});
    writer.commit();
  }
  for (const char* option : {"--json", "-v"}) {
    const ToolResult result = run_tool({"info", option, file});
    INFO(option << ": " << result.err);
    CHECK(result.status == 0);
  }
}
