// What hostile files must not cost: memory for what they only promise, and time for what they claim many times.
#include "case.hpp"
#include "overlapping.hpp"
#include "peak_memory.hpp"

#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/errors.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;
using namespace ckpt::test::hostile;

namespace {

// Stores the first `head` bytes of the image, a hole up to `tail_at`, and the rest. False when the machine has no
// sparse files of that size.
bool store_sparse(const FileImage& image, const std::filesystem::path& path, std::size_t head, std::uint64_t tail_at) {
  FileImage{Bytes(image.bytes().begin(), image.bytes().begin() + static_cast<std::ptrdiff_t>(head))}.store(path);
  if (::truncate(path.c_str(), static_cast<off_t>(tail_at)) != 0) {
    std::cout << "SKIPPED: no sparse files here\n";
    return false;
  }
  std::ofstream out{path, std::ios::binary | std::ios::app};
  out.write(reinterpret_cast<const char*>(image.bytes().data() + head),
            static_cast<std::streamsize>(image.size() - head));
  return true;
}

constexpr std::uint64_t kTerabyte = 1ULL << 40U;

}  // namespace

TEST_CASE("an index over the limit is refused before anything is allocated") {
  const TempDir dir;
  Forge forge;
  FileImage image = forge.valid(Base::sample);
  const std::uint64_t index_size = (kTerabyte - 64 - image.index_offset()) / 8 * 7 / 8 * 8;
  image.set<std::uint64_t>(image.footer() + at::kIndexSize, index_size);
  image.set<std::uint64_t>(image.footer() + at::kFileSize, kTerabyte);
  image.seal_footer();
  if (!store_sparse(image, dir / "a.ckpt", image.footer(), kTerabyte - 64)) return;
  const long before = peak_kib();
  for (const ReadMode mode : {ReadMode::mmap, ReadMode::read}) {
    CKPT_REQUIRE_ERROR(error, ErrorCode::limit, Reader::open(dir / "a.ckpt", {.mode = mode}));
    CHECK(contains(error.what(), "kMaxIndexBytes"));
  }
  CHECK(peak_kib() - before < kMostKib);
}

TEST_CASE("an index of the largest size, of which nothing is there, costs no memory where it is mapped") {
  const TempDir dir;
  Forge forge;
  FileImage image = forge.valid(Base::sample);
  const std::size_t head = image.index_offset();
  const std::uint64_t size = kMaxIndexBytes;
  std::uint64_t sums = 0;
  for (std::uint64_t level = size; level > 4096 || sums == 0; sums += level) level = (level + 4095) / 4096 * 8;
  const std::uint64_t whole = head + size + sums + 64;
  image.set<std::uint64_t>(image.footer() + at::kIndexSize, size);
  image.set<std::uint64_t>(image.footer() + at::kFileSize, whole);
  image.seal_footer();
  const Bytes footer(image.bytes().end() - 64, image.bytes().end());
  image.bytes().resize(head);
  image.bytes().insert(image.bytes().end(), footer.begin(), footer.end());
  if (!store_sparse(image, dir / "a.ckpt", head, whole - 64)) return;
  const long before = peak_kib();
  CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, Reader::open(dir / "a.ckpt", {.mode = ReadMode::mmap}));
  CHECK(contains(error.what(), "damaged page sums of the index"));
  CHECK(peak_kib() - before < kMostKib);
}

TEST_CASE("a hole of a terabyte costs neither memory nor time") {
  const TempDir dir;
  Forge forge;
  FileImage image = forge.valid(Base::sample);
  const std::size_t head = image.index_offset();
  const std::uint64_t tail_bytes = image.size() - head;
  image.set<std::uint64_t>(image.footer() + at::kIndexOffset, kTerabyte);
  image.set<std::uint64_t>(image.footer() + at::kFileSize, kTerabyte + tail_bytes);
  image.seal_footer();
  if (!store_sparse(image, dir / "a.ckpt", head, kTerabyte)) return;
  const long before = peak_kib();
  for (const ReadMode mode : {ReadMode::mmap, ReadMode::read}) {
    const Reader reader = Reader::open(dir / "a.ckpt", {.mode = mode});
    CHECK(bytes_of(reader.tensor("w")) == random_bytes(6, 78));
    const VerifyReport report = reader.verify();
    REQUIRE_FALSE(report.ok());
    CHECK(contains(report.problems.front().what(), "a hole in front of what lies at 0x10000000000"));
  }
  CHECK(peak_kib() - before < kMostKib);
}

// Compressed bytes can promise much memory. What they cannot promise is refused before any is taken: by the record for
// the whole tensor, and for each chunk before it is unpacked.
TEST_CASE("a tensor that promises more than its blob can hold takes no memory") {
  const TempDir dir;
  Forge forge;
  FileImage image = forge.valid(Base::planes);
  const std::size_t i = image.find("exponents");
  image.set<std::uint64_t>(image.tensor(i) + at::kBlobSize, 1);
  image.seal_index();
  image.store(dir / "b.ckpt");
  const Reader reader = Reader::open(dir / "b.ckpt");
  CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, reader.info(i));
  CHECK(contains(error.what(), "the blob is too small for its data"));
  CKPT_CHECK_CODE(ErrorCode::corrupt, reader.tensor(i));
}

TEST_CASE("a chunk that promises more than it can hold is refused") {
  const TempDir dir;
  Forge forge;
  FileImage image = forge.valid(Base::planes);
  const std::size_t record = image.tensor(image.find("exponents"));
  image.set<std::uint32_t>(image.element(Column::frame_sizes, 0, 4), 1);
  image.set<std::uint64_t>(record + at::kBlobSize,
                           1U + image.get<std::uint32_t>(image.element(Column::frame_sizes, 1, 4)));
  image.seal_index();
  image.store(dir / "b.ckpt");
  CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, Reader::open(dir / "b.ckpt").tensor("exponents"));
  CHECK(contains(error.what(), "impossible size"));
}

// Each would be checked, again and again.
TEST_CASE("overlapping blobs do not multiply the work of verification, or of using all at once") {
  const TempDir dir;
  constexpr std::size_t kTensors = 2000;
  store_overlapping(dir / "a.ckpt", kTensors);
  const VerifyReport report = Reader::open(dir / "a.ckpt").verify();
  CHECK(has_code(report.problems, ErrorCode::corrupt));
  CHECK(report.bytes < 2 * std::filesystem::file_size(dir / "a.ckpt"));
  std::vector<std::size_t> all(kTensors);
  std::iota(all.begin(), all.end(), std::size_t{0});
  for (const ReadMode mode : {ReadMode::mmap, ReadMode::read}) {
    const Reader reader = Reader::open(dir / "a.ckpt", {.mode = mode, .verify = Verify::lazy});
    CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, reader.tensors(all));
    CHECK(contains(error.what(), "share bytes without being aliases"));
    CHECK(!error_of([&] { reader.prefault(all); }));
  }
}

TEST_CASE("a graph whose nodes all claim all edges takes no quadratic memory") {
  const TempDir dir;
  constexpr std::uint32_t kNodes = 20'000;
  {
    Writer writer{dir / "a.ckpt", sample_options()};
    ObjectGraph graph;
    graph.nodes.resize(kNodes);
    for (std::uint32_t i = 0; i + 1 < kNodes; ++i) graph.nodes[i].edges = {{"n" + std::to_string(i), i + 1}};
    writer.set_graph(graph);
    writer.commit();
  }
  CHECK(Reader::open(dir / "a.ckpt").graph().nodes.size() == kNodes);
  FileImage image{dir / "a.ckpt"};
  const std::uint32_t edges = image.count(Column::edges);
  for (std::uint32_t i = 0; i < kNodes; ++i) {
    image.set<std::uint32_t>(image.element(Column::nodes, i, 16), 0);
    image.set<std::uint32_t>(image.element(Column::nodes, i, 16) + 4, edges);
  }
  image.seal_index();
  image.store(dir / "b.ckpt");
  const long before = peak_kib();
  const Reader reader = Reader::open(dir / "b.ckpt");
  const auto code = code_of([&] { reader.graph(); });
  CHECK((code == ErrorCode::corrupt || code == ErrorCode::limit));
  CHECK_FALSE(reader.verify().ok());
  CHECK(peak_kib() - before < kMostKib);
}

// Each problem is an Error of some hundred bytes, and a record has 64.
TEST_CASE("a report of very many problems takes no more memory than the file") {
  const TempDir dir;
  constexpr std::uint32_t kTensors = 200'000;
  {
    Writer writer{dir / "a.ckpt", sample_options()};
    const std::byte zero{};
    for (std::uint32_t i = 0; i < kTensors; ++i) writer.add("t" + std::to_string(i), DType::u8, {1}, {&zero, 1});
    writer.commit();
  }
  const bool overlap = GENERATE(true, false);
  FileImage image{dir / "a.ckpt"};
  for (std::uint32_t i = 0; i < kTensors; ++i) {
    if (overlap) {
      image.set<std::uint64_t>(image.tensor(i) + at::kBlobOffset, 64);
    } else {
      image.set<std::uint64_t>(image.element(Column::chunk_sums, i, 8), 5);
    }
  }
  image.seal_index();
  image.store(dir / "b.ckpt");
  const long most = kMostKib + 2 * static_cast<long>(image.index_size() >> 10U);
  const long before = peak_kib();
  const VerifyReport report = Reader::open(dir / "b.ckpt", {.mode = ReadMode::mmap}).verify();
  CHECK_FALSE(report.ok());
  CHECK(report.problems.size() <= 10'000);
  if (!overlap) CHECK(report.damaged_tensors == kTensors);
  INFO("the file is mapped, and counts where it was touched");
  CHECK(peak_kib() - before <= most + static_cast<long>(image.size() >> 10U));
}

// Names may be 4096 bytes long, and there may be many of them: copies must not be more than the file.
TEST_CASE("slots that all name the same text take no more memory than the file") {
  const TempDir dir;
  constexpr std::uint32_t kSlots = 30'000;
  {
    Writer writer{dir / "a.ckpt", sample_options()};
    ObjectGraph graph;
    graph.nodes.resize(kSlots);
    for (std::uint32_t i = 0; i < kSlots; ++i) graph.slots.push_back({i, i, i == 0 ? std::string(4096, 'n') : "m", i});
    writer.set_graph(graph);
    writer.commit();
  }
  FileImage image{dir / "a.ckpt"};
  const auto name = image.get<std::uint64_t>(image.element(Column::slots, 0, 24) + 12);
  for (std::uint32_t i = 0; i < kSlots; ++i) image.set(image.element(Column::slots, i, 24) + 12, name);
  image.seal_index();
  image.store(dir / "b.ckpt");
  const long before = peak_kib();
  CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, Reader::open(dir / "b.ckpt").graph());
  CHECK(contains(error.what(), "names share text"));
  CHECK(peak_kib() - before < kMostKib);
}
