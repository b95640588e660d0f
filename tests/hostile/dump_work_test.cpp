// What ckptdump must not cost: paths of thousands of components, and names that many records share, are little in a
// file and can be very much when each is spelled out.
#include "../ckptdump/tool.hpp"
#include "case.hpp"
#include "overlapping.hpp"
#include "peak_memory.hpp"

#include <ckpt/limits.hpp>
#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <filesystem>
#include <random>
#include <string>

using namespace ckpt;
using namespace ckpt::test;
using namespace ckpt::test::hostile;

namespace {

std::string letters(std::size_t count, std::uint32_t seed) {
  std::mt19937 random{seed};
  std::string text(count, ' ');
  for (char& c : text) c = static_cast<char>('a' + random() % 26);
  return text;
}

/// Single letters, as many as a path can have.
std::string deep_path(std::uint32_t seed) {
  std::string path = letters(kMaxPathBytes - 1, seed);
  for (std::size_t i = 1; i < path.size(); i += 2) path[i] = '/';
  return path;
}

/// Runs a command that must not cost more than a few times the file, and end with that status.
ToolResult run_cheaply(const std::vector<std::string>& arguments, const std::string& file, int status = 0) {
  std::vector<std::string> all = arguments;
  all.push_back(file);
  const long before = peak_kib();  // counts as the tool's, which this process starts
  const ToolResult result = run_tool(all);
  INFO(arguments.front() << ' ' << arguments.back() << ": " << result.err);
  CHECK(result.status == status);
  const std::size_t bytes = std::filesystem::file_size(file);
  CHECK(result.out.size() < (1U << 20U) + 8 * bytes);
  CHECK(result.peak_kib < before + kMostKib + static_cast<long>(8 * bytes >> 10U));
  return result;
}

}  // namespace

TEST_CASE("tree of paths of two thousand names is as long as the file is worth") {
  const TempDir dir;
  const std::string file = (dir / "deep.ckpt").string();
  {
    Writer writer{file, sample_options()};
    for (std::uint32_t i = 0; i < 40; ++i) writer.add(deep_path(i), DType::u8, {0}, {});
    writer.commit();
  }
  for (const char* depth : {"40", "1000000"}) {
    const ToolResult result = run_cheaply({"tree", "--depth", depth}, file);
    CHECK(lines_of(result.out).size() < 1000 + 4 * 40);
    CHECK(result.err.find(" of 2048 levels are shown") != std::string::npos);
  }
  const nlohmann::json document = document_of(run_cheaply({"tree", "--json"}, file));
  CHECK(document.at("levels") == 2048);
  CHECK(document.at("levels_shown") > 20);
  CHECK(document.at("levels_shown") < 40);
}

TEST_CASE("tree of many edges below one long name is as long as the file is worth") {
  const TempDir dir;
  const std::string file = (dir / "edges.ckpt").string();
  constexpr std::uint32_t kEdges = 50'000;
  {
    Writer writer{file, sample_options()};
    ObjectGraph graph;
    graph.nodes.resize(3);
    graph.nodes[0].edges = {{std::string(4000, 'n'), 1}};
    for (std::uint32_t i = 0; i < kEdges; ++i) graph.nodes[1].edges.push_back({std::to_string(i), 2});
    std::ranges::sort(graph.nodes[1].edges, {}, &ObjectGraph::Edge::name);
    writer.set_graph(graph);
    writer.commit();
  }
  for (const char* option : {"-v", "--depth=1"}) {
    const ToolResult result = run_cheaply({"tree", option}, file);
    CHECK(result.err.find(" further paths of objects are left out") != std::string::npos);
  }
  const nlohmann::json document = document_of(run_cheaply({"tree", "--json"}, file));
  const std::size_t shown = document.at("children").at(0).at("children").size();
  CHECK(shown > 100);
  // Its own path is no further one, and is not in the tree: nothing is stored there.
  CHECK(shown + document.at("further_paths_left_out").get<std::size_t>() == kEdges - 1);
}

TEST_CASE("block types whose names share text are as long as the file is worth") {
  const TempDir dir;
  const std::string file = (dir / "blocks.ckpt").string();
  constexpr std::size_t kBlockBytes = 16;
  constexpr std::uint32_t kTypes = 4'000;
  {
    Writer writer{file, sample_options()};
    for (std::uint32_t i = 0; i < kTypes; ++i) {
      const std::string name = i < 2 ? letters(kMaxPathBytes, i) : std::to_string(i);
      writer.add("t" + std::to_string(10'000 + i), DType::block, {0}, {}, {.block = BlockType{name, 1, 1}});
    }
    writer.commit();
  }
  FileImage image{file};
  const auto start = image.get<std::uint32_t>(image.element(Column::blocks, 0, kBlockBytes));
  for (std::uint32_t i = 0; i < kTypes; ++i) {
    const std::size_t block = image.element(Column::blocks, i, kBlockBytes);
    image.set<std::uint32_t>(block, start + i);
    image.set<std::uint32_t>(block + 4, kMaxPathBytes);
  }
  image.seal_index();
  image.store(file);
  const ToolResult info = run_cheaply({"info", "-v"}, file);
  CHECK(info.out.find("others 3900 (0 B)") != std::string::npos);
  run_cheaply({"info", "--json"}, file);
  run_cheaply({"ls", "--long"}, file);
  run_cheaply({"tree", "-v"}, file);
}

TEST_CASE("a list of paths that share bytes ends where it is longer than the index") {
  const TempDir dir;
  const std::string file = (dir / "paths.ckpt").string();
  constexpr std::uint32_t kTensors = 4'000;
  {
    Writer writer{file, sample_options()};
    writer.add(letters(kMaxPathBytes, 1), DType::u8, {0}, {});
    for (std::uint32_t i = 1; i < kTensors; ++i) writer.add(std::to_string(i), DType::u8, {0}, {});
    writer.commit();
  }
  FileImage image{file};
  std::size_t longest = 0;
  while (image.get<std::uint32_t>(image.tensor(longest) + at::kPathSize) != kMaxPathBytes) ++longest;
  const auto start = image.get<std::uint32_t>(image.tensor(longest) + at::kPathOffset);
  for (std::uint32_t i = 0; i < kTensors; ++i) {
    image.set<std::uint32_t>(image.tensor(i) + at::kPathOffset, start + i % 4);
    image.set<std::uint32_t>(image.tensor(i) + at::kPathSize, kMaxPathBytes - 4);
  }
  image.seal_index();
  image.store(file);
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"ls"}, {"ls", "--long"}, {"ls", "--json"}, {"tree"}, {"tree", "--json"}, {"info"}}) {
    const ToolResult result = run_cheaply(command, file, 1);
    CHECK(result.err.find("the paths are longer than the index") != std::string::npos);
  }
}

TEST_CASE("overlapping blobs do not multiply the work of verification") {
  const TempDir dir;
  const std::string file = (dir / "overlapping.ckpt").string();
  store_overlapping(file, 2000);
  for (const std::vector<std::string>& filter :
       std::vector<std::vector<std::string>>{{}, {"--include", "*"}, {"--exclude", "0"}}) {
    std::vector<std::string> command{"verify", "--json"};
    command.insert(command.end(), filter.begin(), filter.end());
    const ToolResult result = run_cheaply(command, file, 1);
    const bool told =
        (result.out + result.err).find(filter.empty() ? "two blobs overlap" : "share bytes") != std::string::npos;
    CHECK(told);
  }
}
