// Checks behind which others stand: what the error says tells which one it was. The sums of the files are right.
#include "codec/xxh3.hpp"
#include "format/tensor_record.hpp"

#include <ckpt/limits.hpp>
#include <ckpt/reader.hpp>

#include <catch2/catch.hpp>
#include <support/errors.hpp>
#include <support/file_image.hpp>
#include <support/files.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>

using namespace ckpt;
using namespace ckpt::test;

namespace {

using Patch = std::function<void(FileImage&)>;
using Use = std::function<void(const Reader&)>;

constexpr std::size_t kSlotBytes = 24, kSlotName = 12, kSlotNameSize = 16;

// What the library says of the patched file when it is opened and used, as corrupt; empty when it says nothing.
std::string said(FileImage image, const Patch& patch, const Use& use = [](const Reader&) {}) {
  const TempDir dir;
  patch(image);
  image.store(dir / "a.ckpt");
  const auto error = error_of([&] { use(Reader::open(dir / "a.ckpt", {.verify = Verify::none})); });
  if (!error) return "";
  return error->code() == ErrorCode::corrupt ? error->details().problem : std::string{"not corrupt: "} + error->what();
}

FileImage image_of(const std::function<void(const std::filesystem::path&)>& write) {
  const TempDir dir;
  write(dir / "a.ckpt");
  return FileImage{dir / "a.ckpt"};
}

Patch sealed(const Patch& patch) {
  return [=](FileImage& image) {
    patch(image);
    image.seal_index();
  };
}

// The file with another index behind other bytes, all sizes and sums to match.
Patch with_index(std::size_t offset, std::size_t size) {
  return [=](FileImage& image) {
    const Bytes footer{image.bytes().end() - 64, image.bytes().end()};
    image.bytes().resize(offset + size + (size + 4095) / 4096 * 8);
    image.bytes().insert(image.bytes().end(), footer.begin(), footer.end());
    image.set<std::uint64_t>(image.footer() + at::kIndexOffset, offset);
    image.set<std::uint64_t>(image.footer() + at::kIndexSize, size);
    image.set<std::uint64_t>(image.footer() + at::kFileSize, image.size());
    image.seal_index();
  };
}

// Whether verify says that of the patched file, among other things.
bool reports(FileImage image, const Patch& patch, const std::string& problem) {
  const TempDir dir;
  patch(image);
  image.store(dir / "a.ckpt");
  const VerifyReport report = Reader::open(dir / "a.ckpt").verify();
  return std::ranges::any_of(report.problems, [&](const Error& error) { return error.details().problem == problem; });
}

// Tensors "a", "b…" and "c…" of long names, each with a node, and three slots, the last of a long name.
void write_long_names(const std::filesystem::path& path) {
  Writer writer{path, sample_options()};
  ObjectGraph graph;
  for (const std::string& name : {std::string{"a"}, std::string(3000, 'b'), std::string(3000, 'c')}) {
    writer.add(name, DType::u8, {1}, Bytes(1));
    graph.nodes.push_back({.edges = {}, .tensor = name});
  }
  graph.slots = {{0, 1, "m", 2}, {0, 2, "v", 1}, {1, 2, std::string(3000, 'w'), 0}};
  writer.set_graph(graph);
  writer.commit();
}

void read_graph(const Reader& reader) { reader.graph(); }

}  // namespace

TEST_CASE("an index whose size and end fit, at a place where none may be") {
  const FileImage sample = image_of(write_sample);
  const std::size_t offset = sample.index_offset();
  const std::string misplaced = "the index does not lie where header and footer leave room for it";
  CHECK(said(sample, with_index(offset, 0)) == misplaced);
  CHECK(said(sample, with_index(offset + 8, sample.index_size())) == misplaced);
  CHECK(said(sample, with_index(offset, sample.index_size() + 4)) == misplaced);
  CHECK(said(sample, with_index(0, 4096)) == misplaced);
  CHECK(said(sample, with_index(offset, sample.index_size())) == "");
}

TEST_CASE("numbers and columns that are not aligned, and an empty column outside of the index") {
  const FileImage sample = image_of(write_sample);
  const auto moved = [&](Column column, std::uint32_t bytes) {
    return said(sample, sealed([=](FileImage& image) {
                  image.set(image.field(column), image.get<std::uint32_t>(image.field(column)) + bytes);
                }));
  };
  for (const Column column : {Column::tensors, Column::dims, Column::chunk_sums, Column::metadata, Column::slots}) {
    if (column != Column::slots) CHECK(moved(column, 4) == "bad index: a column is not aligned");
    CHECK(moved(column, 2) == "bad index: a column lies outside of the index");
  }
  CHECK(said(sample, sealed([](FileImage& image) {
               image.set(image.index_offset(), image.get<std::uint32_t>(image.index_offset()) + 2);
             })) == "bad index: a number is not aligned");
  const FileImage wide = image_of(write_wide);
  REQUIRE(wide.count(Column::slots) == 0);
  CHECK(said(wide, sealed([](FileImage& image) { image.set(image.field(Column::slots), 0xfffffff0U); })) ==
        "bad index: a column lies outside of the index");
}

TEST_CASE("a dtype of 0, and an alias of a tensor whose path is none") {
  const FileImage sample = image_of(write_sample);
  const auto resealed = [](const Patch& patch) {
    return [=](FileImage& image) {
      patch(image);
      image.seal_data();
      image.seal_index();
    };
  };
  const std::size_t scalar = sample.find("scalar");
  CHECK(said(sample,
             resealed([=](FileImage& image) { image.set<std::uint16_t>(image.tensor(scalar) + at::kDType, 0); }),
             [=](const Reader& reader) { reader.tensor(scalar); }) == "bad index: there is no such dtype");
  const std::size_t tied = sample.find("tied");
  const std::size_t name =
      sample.element(Column::paths, sample.get<std::uint32_t>(sample.tensor(sample.find("w")) + at::kPathOffset), 1);
  CHECK(said(sample, resealed([=](FileImage& image) { image.set(name, '.'); }),
             [=](const Reader& reader) { reader.tensor(tied); }) == "bad index: an alias of no object path");
}

TEST_CASE("records that no tensor can have") {
  const FileImage sample = image_of(write_sample);
  const auto patched = [&](const std::string& path, std::size_t field, auto value) {
    const std::size_t tensor = sample.find(path);
    return said(sample, sealed([=](FileImage& image) { image.set(image.tensor(tensor) + field, value); }),
                [=](const Reader& reader) { reader.tensor(tensor); });
  };
  CHECK(patched("scalar", at::kFirstFrame, std::uint32_t{1}) == "bad index: the frames do not fit the chunks");
  CHECK(patched("empty", at::kCodec, std::uint8_t{1}) ==
        "bad index: a compressed tensor without data, or in a file that does not announce it");
  CHECK(patched("scalar", at::kRank, std::uint8_t{9}) == "bad index: too many dimensions");
  CHECK(patched("scalar", at::kPathSize, std::uint32_t{4097}) == "bad index: a path is too long");
}

TEST_CASE("a bool that is neither 0 nor 1") {
  const FileImage sample = image_of(write_sample);
  const std::size_t tensor = sample.find("all/bool");
  const auto with_last = [&](std::uint8_t value) {
    return said(
        sample,
        [=](FileImage& image) {
          image.set(image.get<std::uint64_t>(image.tensor(tensor) + at::kBlobOffset) + 7, value);
          image.seal_data();
          image.seal_index();
        },
        [=](const Reader& reader) {
          const TensorView view = reader.tensor(tensor);
          touch(std::as_bytes(view.as<bool>()));
        });
  };
  CHECK(with_last(0) == "");
  CHECK(with_last(1) == "");
  CHECK(with_last(2) == "a tensor of dtype bool has a byte that is neither 0 nor 1");
}

TEST_CASE("an alias whose owner differs in any one field") {
  const FileImage sample = image_of(write_sample);
  const std::size_t owner = sample.tensor(sample.find("w"));
  const auto differing = [&](std::size_t field, auto type, unsigned bits = 1) {
    return said(sample, sealed([=](FileImage& image) {
                  image.set(owner + field,
                            static_cast<decltype(type)>(image.get<decltype(type)>(owner + field) ^ bits));
                }),
                [&](const Reader& reader) { reader.tensor(sample.find("tied")); });
  };
  const std::string wanted = "bad index: an alias differs from the tensor that it names";
  for (const std::size_t field : {at::kBlobOffset, at::kBlobSize, at::kDataSize}) {
    CHECK(differing(field, std::uint64_t{}) == wanted);
  }
  for (const std::size_t field : {at::kFirstChunk, at::kChunkCount, at::kFirstFrame, at::kAliasOf, at::kBlock}) {
    CHECK(differing(field, std::uint32_t{}) == wanted);
  }
  CHECK(differing(at::kDType, std::uint16_t{}) == wanted);
  CHECK(differing(at::kCodec, std::uint8_t{}) == wanted);
  CHECK(differing(at::kRank, std::uint8_t{}, 3) == wanted);
}

TEST_CASE("paths and names that share bytes are not multiplied") {
  const FileImage whole = image_of(write_long_names);
  CHECK(said(whole, sealed([](FileImage&) {}), read_graph) == "");
  const auto same_path = [](FileImage& image) {
    image.set(image.tensor(0) + at::kPathOffset, image.get<std::uint32_t>(image.tensor(1) + at::kPathOffset));
    image.set(image.tensor(0) + at::kPathSize, image.get<std::uint32_t>(image.tensor(1) + at::kPathSize));
  };
  CHECK(said(whole, sealed(same_path), read_graph) == "bad index: paths share bytes");
  const auto name_of_slot = [](FileImage& image, std::size_t to, std::size_t from) {
    for (const std::size_t field : {kSlotName, kSlotNameSize}) {
      image.set(image.element(Column::slots, to, kSlotBytes) + field,
                image.get<std::uint32_t>(image.element(Column::slots, from, kSlotBytes) + field));
    }
  };
  const auto same_names = [=](FileImage& image) {
    name_of_slot(image, 0, 2);
    name_of_slot(image, 1, 2);
  };
  CHECK(said(whole, sealed(same_names), read_graph) == "bad index: names share text");
  const auto twice = [=](FileImage& image) {
    const std::size_t first = image.element(Column::slots, 0, kSlotBytes);
    for (std::size_t i = 0; i < kSlotBytes; i += 4) {
      image.set(first + kSlotBytes + i, image.get<std::uint32_t>(first + i));
    }
  };
  CHECK(said(whole, sealed(twice), read_graph) == "bad index: a slot twice");
}

TEST_CASE("what only a look at the whole index can tell") {
  const FileImage sample = image_of(write_sample);
  const FileImage wide = image_of(write_wide);
  const FileImage long_names = image_of(write_long_names);
  CHECK(reports(
      wide,
      [](FileImage& image) {
        image.set<std::uint64_t>(at::kRequired, 1);
        image.seal_header();
      },
      "the zstd feature bit does not say what the tensors are"));
  CHECK(reports(
      sample,
      [](FileImage& image) {
        image.set<std::uint64_t>(at::kOptional, 0);
        image.seal_header();
      },
      "the graph feature bit does not say what the index has"));
  const auto shorter = [](std::size_t tensor) {
    return sealed([=](FileImage& image) {
      const std::size_t size = image.tensor(tensor) + at::kPathSize;
      image.set(size, image.get<std::uint32_t>(size) - 1);
      image.seal_data();
    });
  };
  CHECK(reports(sample, shorter(sample.find("large")), "bad index: paths do not follow each other"));
  CHECK(reports(long_names, shorter(2), "bytes of no path behind the paths"));
  const std::size_t block = sample.find("all/block");
  for (const std::size_t number : {8U, 12U}) {  // of its bytes, of its elements
    CHECK(reports(sample, sealed([=](FileImage& image) {
                    image.set<std::uint16_t>(image.tensor(block) + at::kDType, 200);
                    image.set<std::uint32_t>(image.tensor(block) + at::kBlock, 0xffffffffU);
                    image.set<std::uint32_t>(image.element(Column::blocks, 0, 16) + number, 0);
                    image.seal_data();
                  }),
                  "bad index: an empty block type"));
  }
}

// Paths that were chosen for their hashes all want the same few slots.
TEST_CASE("a crowded table of paths is refused by verify, and all that is in it is found") {
  constexpr std::size_t kTensors = 4'200;
  constexpr std::uint64_t kSlots = 8'192;  // of a table for so many
  std::vector<std::string> paths;
  for (std::uint64_t i = 0; paths.size() < kTensors; ++i) {
    std::string path = "t" + std::to_string(i);
    if ((XXH3_64bits(path.data(), path.size()) & (kSlots - 1)) < 32) paths.push_back(std::move(path));
  }
  const TempDir dir;
  {
    Writer writer{dir / "a.ckpt", sample_options()};
    for (const std::string& path : paths) writer.add(path, DType::u8, {0}, {});
    writer.commit();
  }
  REQUIRE(FileImage{dir / "a.ckpt"}.count(Column::path_table) == kSlots);
  const Reader reader = Reader::open(dir / "a.ckpt");
  for (const std::string& path : paths) CHECK(reader.info(reader.find(path).value()).path == path);
  CHECK_FALSE(reader.contains("t"));
  const VerifyReport report = reader.verify();
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems.front().details().problem == "bad index: a crowded table of paths");
}

// Who writes to a mapped file may do so between two looks at it.
TEST_CASE("of a path that grew after it was checked, no more is copied than there is room for") {
  const std::string path(kMaxPathBytes + 5'000, 'p');
  const auto seed = [](std::string_view of) { return format::identity(of, DType::u8, {1}, 1, codec::xxh3); };
  CHECK(seed(path) == seed(std::string_view{path}.substr(0, kMaxPathBytes)));
}
