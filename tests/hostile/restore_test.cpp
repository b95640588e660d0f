// Restoring from graphs that no program has: the work is that of the nodes, whatever the paths through them.
#include "peak_memory.hpp"
#include "restoring.hpp"

#include <catch2/catch.hpp>
#include <support/file_image.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;
using namespace ckpt::test::hostile;

namespace {

// "kernel" is the value of the last node.
void write_graph(const std::filesystem::path& path, ObjectGraph graph) {
  Writer writer{path, sample_options()};
  writer.add("kernel", DType::u8, {2, 3}, random_bytes(6, 1));
  graph.nodes.back().tensor = "kernel";
  writer.set_graph(graph);
  writer.commit();
}

// Everything that a program may ask of a restore, before and after objects come.
void use_restore(const std::filesystem::path& path) {
  Part root;
  Part child;
  root.track("a", child);
  Checkpoint checkpoint{root};
  CHECK(checkpoint.plan(path).matched.empty());
  const RestoreStatus status = checkpoint.restore(path);
  CKPT_CHECK_CODE(ErrorCode::mismatch, status.assert_consumed());
  CHECK(status.unmatched_in_file().size() == 1);
  child.track("a", root);  // a cycle in the program, too
  const auto kernel = child.add_variable<std::uint8_t>("kernel", {2, 3});
  CHECK(status.unmatched_in_program().size() == 2);  // and the save counter
  checkpoint.restore(path).expect_partial();
  status.expect_partial();
}

}  // namespace

TEST_CASE("restoring from a chain of very many objects") {
  const TempDir dir;
  constexpr std::uint32_t kNodes = 100'000;
  ObjectGraph graph;
  graph.nodes.resize(kNodes);
  for (std::uint32_t i = 0; i + 1 < kNodes; ++i) graph.nodes[i].edges = {{"a", i + 1}, {"b", 0}};
  write_graph(dir / "a.ckpt", graph);
  const long before = peak_kib();
  use_restore(dir / "a.ckpt");
  CHECK(peak_kib() - before < 2 * kMostKib);  // the graph of the program's own is a multiple of what the file has
}

TEST_CASE("restoring from a graph with more paths than there are numbers") {
  const TempDir dir;
  constexpr std::uint32_t kLayers = 1000;
  ObjectGraph graph;
  graph.nodes.resize(kLayers);
  for (std::uint32_t i = 0; i + 1 < kLayers; ++i) graph.nodes[i].edges = {{"a", i + 1}, {"b", i + 1}, {"c", i}};
  write_graph(dir / "a.ckpt", graph);
  use_restore(dir / "a.ckpt");
}

TEST_CASE("restoring from an object with very many children and slots") {
  const TempDir dir;
  constexpr std::uint32_t kNodes = 100'000;
  ObjectGraph graph;
  graph.nodes.resize(kNodes);
  for (std::uint32_t i = 1; i < kNodes; ++i) {
    graph.nodes[0].edges.push_back({"n" + std::to_string(100'000 + i), i});
    graph.slots.push_back({0, i, "m", kNodes - 1});
  }
  write_graph(dir / "a.ckpt", graph);
  use_restore(dir / "a.ckpt");
}

// A name that takes two bytes of the file would take a hundred of memory.
TEST_CASE("restoring from a file without a graph whose paths are very deep") {
  const TempDir dir;
  const auto write = [&](const char* name, int tensors) {
    Writer writer{dir / name, sample_options()};
    for (int i = 0; i < tensors; ++i) {
      std::string path = std::to_string(1000 + i);
      while (path.size() + 2 <= kMaxPathBytes) path += "/a";
      writer.add(path, DType::u8, {0}, {});
    }
    writer.commit();
  };
  write("few.ckpt", 40);
  write("many.ckpt", 300);
  Part root;
  Checkpoint checkpoint{root};
  CHECK(checkpoint.read(dir / "few.ckpt").unmatched_in_file().size() == 40);
  CKPT_REQUIRE_ERROR(error, ErrorCode::limit, checkpoint.read(dir / "many.ckpt"));
  CHECK(contains(error.what(), "the paths are too deep"));
}

namespace {

/// Slots of the slot of a variable, as a program may have them.
struct Chain {
  Part net;
  Part adam;
  Part average;
  Variable<std::uint8_t> w = net.add_variable<std::uint8_t>("w", {});
  Variable<std::uint8_t> m = adam.add_slot<std::uint8_t>(w, "m");
  Variable<std::uint8_t> slow = average.add_slot<std::uint8_t>(m, "slow");
  Checkpoint checkpoint{{"adam", adam}, {"average", average}, {"net", net}};
};

}  // namespace

TEST_CASE("restoring slots that are kept for slots, in every combination") {
  const TempDir dir;
  // The root, adam, average, net, w, and two more values; "m" and "slow" for some of the nodes, as some of the nodes.
  constexpr std::uint32_t kNodes = 7;
  constexpr std::array<std::uint32_t, 5> kSome{0, 2, 4, 5, 6};
  for (std::size_t i = 0; i < 5 * 5 * 5 * 5; ++i) {
    const std::uint32_t m_for = kSome[i % 5];
    const std::uint32_t m = kSome[i / 5 % 5];
    const std::uint32_t slow_for = kSome[i / 25 % 5];
    const std::uint32_t slow = kSome[i / 125];
    ObjectGraph graph;
    graph.nodes.resize(kNodes);
    graph.nodes[0].edges = {{"adam", 1}, {"average", 2}, {"net", 3}};
    graph.nodes[3].edges = {{"w", 4}};
    graph.slots = {{1, m_for, "m", m}, {2, slow_for, "slow", slow}};
    {
      Writer writer{dir / "a.ckpt", sample_options()};
      for (std::uint8_t value = 4; value < kNodes; ++value) {
        graph.nodes[value].tensor = std::to_string(value);
        writer.add<std::uint8_t>(std::to_string(value), {}, std::span{&value, 1});
      }
      writer.set_graph(graph);
      writer.commit();
    }
    CAPTURE(m_for, m, slow_for, slow);
    Chain chain;
    const RestorePlan plan = chain.checkpoint.plan(dir / "a.ckpt");
    const RestoreStatus status = chain.checkpoint.read(dir / "a.ckpt");
    status.expect_partial();
    const auto code = code_of([&] { status.assert_consumed(); });
    const bool right = m_for == 4 && slow_for == m && m > 4 && slow > 4 && slow != m;
    CHECK(code == (right ? std::nullopt : std::optional{ErrorCode::mismatch}));
    CHECK(plan.matched.size() + plan.missing.size() == 3);
    if (right) CHECK(plan.matched.size() == 3);
    if (right) CHECK(chain.slow.value() == slow);
  }
}

TEST_CASE("restoring from a chain of very many slots") {
  const TempDir dir;
  constexpr std::uint32_t kNodes = 100'000;
  ObjectGraph graph;
  graph.nodes.resize(kNodes);
  graph.nodes[0].edges = {{"adam", 1}, {"net", 2}};
  graph.nodes[2].edges = {{"w", 3}};
  for (std::uint32_t i = 3; i + 1 < kNodes; ++i) graph.slots.push_back({1, i, "m", i + 1});
  write_graph(dir / "a.ckpt", graph);
  Part net;
  Part adam;
  Checkpoint checkpoint{{"adam", adam}, {"net", net}};
  for (int i = 0; i < 3; ++i) checkpoint.read(dir / "a.ckpt").expect_partial();  // each in the place of the one before
  Variable<std::uint8_t> last = net.add_variable<std::uint8_t>("w", {});
  for (int i = 0; i < 100; ++i) last = adam.add_slot<std::uint8_t>(last, "m");
  CHECK(checkpoint.plan(dir / "a.ckpt").extra == std::vector<std::string>{"kernel"});
  CHECK(checkpoint.read(dir / "a.ckpt").expect_partial().pending() == std::vector<std::string>{"kernel"});
}

// In wrong order, the name of each would be put in front of all those before.
TEST_CASE("restoring from a file without a graph whose paths come backwards") {
  const TempDir dir;
  constexpr int kTensors = 200'000;
  {
    Writer writer{dir / "a.ckpt", sample_options()};
    for (int i = 0; i < kTensors; ++i) writer.add(std::to_string(1'000'000 + i), DType::u8, {0}, {});
    writer.commit();
  }
  FileImage image{dir / "a.ckpt"};
  const auto first = image.bytes().begin() + static_cast<std::ptrdiff_t>(image.tensor(0));
  for (std::ptrdiff_t i = 0, j = kTensors - 1; i < j; ++i, --j) {
    constexpr std::ptrdiff_t kBytes = at::kTensorBytes;
    std::swap_ranges(first + i * kBytes, first + (i + 1) * kBytes, first + j * kBytes);
  }
  image.seal_index();
  image.store(dir / "b.ckpt");
  Part root;
  Checkpoint checkpoint{root};
  CHECK(checkpoint.plan(dir / "a.ckpt").extra.size() == kTensors);
  CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, checkpoint.read(dir / "b.ckpt"));
  CHECK(contains(error.what(), "the paths of the tensors are not in order"));
  CHECK(error.details().file == dir / "b.ckpt");
  CHECK(error.details().object == "1199998");
  CHECK(error.details().expected == "one behind 1199999");
  CHECK_FALSE(error.details().advice.empty());
}

TEST_CASE("values that no program can use, for variables that come late") {
  const TempDir dir;
  {
    Writer writer{dir / "a.ckpt", sample_options()};
    const std::byte flag{1};
    writer.add("flag", DType::boolean, {}, {&flag, 1});
    const Bytes text = encode_strings(std::vector<std::string>{"t"});
    writer.add("text", DType::string, {}, text);
    writer.commit();
  }
  FileImage image{dir / "a.ckpt"};
  const auto blob = [&](const char* path) {
    return image.get<std::uint64_t>(image.tensor(image.find(path)) + at::kBlobOffset);
  };
  image.set(blob("flag"), std::byte{2});
  image.set(blob("text") + 2 * sizeof(std::uint64_t), std::byte{0xff});
  image.seal_all();
  image.store(dir / "b.ckpt");
  const auto binding = GENERATE(Binding::copy, Binding::view, Binding::copy_on_write);
  CAPTURE(binding);
  Part root;
  Checkpoint checkpoint{root};
  checkpoint.read(dir / "b.ckpt", {.binding = binding}).expect_partial();
  CKPT_REQUIRE_ERROR(flag, ErrorCode::corrupt, root.add_variable<bool>("flag", Shape{}));
  CHECK(flag.details().file == dir / "b.ckpt");
  CHECK(flag.details().object == "flag");
  CKPT_REQUIRE_ERROR(text, ErrorCode::corrupt, root.add_variable<std::string>("text"));
  CHECK(text.details().file == dir / "b.ckpt");
  CHECK(text.details().object == "text");
}
