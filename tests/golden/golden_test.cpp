// The golden files of version 1 are read for ever, and what they hold never changes.
#include "models.hpp"

#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>

namespace {

using namespace ckpt;
using ckpt::test::GoldenModel;
using ckpt::test::GoldenTensor;

constexpr const char* kWriterKey = "ckpt.writer";

std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path{CKPT_GOLDEN_DIR} / (name + ".ckpt");
}

std::string contents(const std::filesystem::path& file) {
  std::ifstream stream{file, std::ios::binary};
  REQUIRE(stream.good());
  return {std::istreambuf_iterator<char>{stream}, {}};
}

void check_tensor(const Reader& reader, std::string_view path, const GoldenTensor& tensor) {
  INFO("tensor " << path);
  const std::optional<std::size_t> index = reader.find(path);
  REQUIRE(index);
  const TensorInfo info = reader.info(*index);
  CHECK(info.path == path);
  CHECK(info.dtype == tensor.dtype);
  CHECK(info.shape == tensor.shape);
  CHECK(info.block == tensor.options.block);
  CHECK(info.size_bytes == tensor.data.size());
  CHECK(info.alias_of.has_value() == (path != tensor.path));
  const TensorView view = reader.tensor(*index);
  CHECK(std::ranges::equal(view.bytes(), tensor.data));
}

void check_graph(const ObjectGraph& found, const ObjectGraph& wanted) {
  REQUIRE(found.nodes.size() == wanted.nodes.size());
  for (std::size_t i = 0; i < wanted.nodes.size(); ++i) {
    const auto& a = found.nodes[i];
    const auto& b = wanted.nodes[i];
    CHECK(a.tensor == b.tensor);
    CHECK(std::ranges::equal(a.edges, b.edges,
                             [](const auto& x, const auto& y) { return x.name == y.name && x.node == y.node; }));
  }
  CHECK(std::ranges::equal(found.slots, wanted.slots, [](const auto& x, const auto& y) {
    return x.owner == y.owner && x.variable == y.variable && x.name == y.name && x.node == y.node;
  }));
}

void check_contents(const GoldenModel& model, const std::filesystem::path& file, ReadMode mode) {
  const Reader reader = Reader::open(file, {.mode = mode});
  CHECK(reader.file().major == 1);
  CHECK(reader.file().uuid == *model.options.uuid);
  CHECK(reader.file().file_size == std::filesystem::file_size(file));
  CHECK(reader.size() == model.tensors.size() + model.aliases.size());
  for (const GoldenTensor& tensor : model.tensors) check_tensor(reader, tensor.path, tensor);
  for (const auto& [path, owner] : model.aliases) {
    const auto tensor = std::ranges::find(model.tensors, owner, &GoldenTensor::path);
    REQUIRE(tensor != model.tensors.end());
    check_tensor(reader, path, *tensor);
  }
  Metadata wanted = model.metadata;
  wanted["ckpt.created"] = *model.options.created_ns;
  if (model.options.step) wanted["ckpt.step"] = *model.options.step;
  Metadata found = reader.metadata();
  CHECK(found.erase(kWriterKey) == 1);
  CHECK(found == wanted);
  check_graph(reader.graph(), model.graph);
  const VerifyReport report = reader.verify();
  for (const Error& problem : report.problems) UNSCOPED_INFO(problem.what());
  CHECK(report.ok());
  CHECK(report.bytes == reader.file().file_size);
}

// The file up to its page sums, with `writer` in place of the name of the program that wrote it: versions of the
// library differ in nothing else.
std::string comparable(const std::filesystem::path& file, const std::string& writer) {
  const Reader reader = Reader::open(file);
  const FileInfo info = reader.file();
  std::string bytes = contents(file).substr(0, info.index_offset + info.index_size);
  const std::string own = std::get<std::string>(reader.metadata().at(kWriterKey));
  const std::size_t at = bytes.find(own, info.index_offset);
  REQUIRE(at != std::string::npos);
  if (own.size() == writer.size()) bytes.replace(at, own.size(), writer);
  return bytes;
}

std::string writer_of(const std::filesystem::path& file) {
  return std::get<std::string>(Reader::open(file).metadata().at(kWriterKey));
}

}  // namespace

TEST_CASE("every golden file reads as what was written") {
  for (const GoldenModel& model : test::golden_models()) {
    if (!model.committed) continue;
    INFO("golden file " << model.name);
    check_contents(model, golden(model.name), ReadMode::mmap);
    check_contents(model, golden(model.name), ReadMode::read);
  }
}

TEST_CASE("every file in the golden directory is known to the test") {
  std::set<std::string> known;
  std::set<std::string> found;
  for (const GoldenModel& model : test::golden_models()) {
    if (model.committed) known.insert(model.name);
  }
  for (const auto& entry : std::filesystem::directory_iterator{CKPT_GOLDEN_DIR}) {
    if (entry.path().extension() == ".ckpt") found.insert(entry.path().stem().string());
  }
  CHECK(found == known);
}

TEST_CASE("writing a golden file again gives the same bytes") {
  test::TempDir directory;
  for (const GoldenModel& model : test::golden_models()) {
    if (!model.committed) continue;
    INFO("golden file " << model.name);
    const std::filesystem::path file = directory.path() / (model.name + ".ckpt");
    test::write_golden(model, file);
    const std::string writer = writer_of(golden(model.name));
    if (model.same_bytes && writer_of(file).size() == writer.size()) {
      const bool same = comparable(file, writer) == comparable(golden(model.name), writer);
      CHECK(same);
      if (writer_of(file) == writer) {
        const bool whole = contents(file) == contents(golden(model.name));
        CHECK(whole);
      }
    }
    check_contents(model, file, ReadMode::automatic);
  }
}

TEST_CASE("a file whose index has two levels of page sums reads as what was written") {
  test::TempDir directory;
  for (const GoldenModel& model : test::golden_models()) {
    if (model.committed) continue;
    INFO("file " << model.name);
    const std::filesystem::path file = directory.path() / (model.name + ".ckpt");
    test::write_golden(model, file);
    CHECK(Reader::open(file).file().sums_size > 4096);
    check_contents(model, file, ReadMode::mmap);
  }
}

TEST_CASE("golden blobs begin where the alignment rule says") {
  for (const GoldenModel& model : test::golden_models()) {
    if (!model.committed) continue;
    INFO("golden file " << model.name);
    const Reader reader = Reader::open(golden(model.name));
    for (std::size_t i = 0; i < reader.size(); ++i) {
      const TensorInfo info = reader.info(i);
      const bool large = info.compression == Compression::none && info.stored_bytes >= model.options.large_alignment;
      CHECK(info.offset % (large ? model.options.large_alignment : model.options.small_alignment) == 0);
    }
  }
}
