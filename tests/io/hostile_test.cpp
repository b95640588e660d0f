// Files that were patched and sealed again, as an attacker would: refused with the right code, never a crash.
#include <ckpt/reader.hpp>

#include <catch2/catch.hpp>
#include <support/errors.hpp>
#include <support/file_image.hpp>
#include <support/files.hpp>
#include <support/floats.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iostream>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::uint64_t kMost64 = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint32_t kMost32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::int64_t kMostDim = std::numeric_limits<std::int64_t>::max();

// Where a patch has to be found.
enum class Found {
  open,    // at open
  use,     // at open, or when the damaged part is used; by verify in any case
  decode,  // when the data is decompressed
  verify,  // by verify; using the file is allowed and safe
};

struct Case {
  std::string name;
  Found found;
  std::vector<ErrorCode> codes;  // any of them is right
  std::function<void(FileImage&)> patch;
};

bool any_of(const std::vector<Error>& errors, const std::vector<ErrorCode>& codes) {
  return std::ranges::any_of(codes, [&](ErrorCode code) { return has_code(errors, code); });
}

std::string texts(const std::vector<Error>& errors) {
  std::string text;
  for (const Error& error : errors) text += std::string{"\n  "} + error.what();
  return text;
}

void check(const Case& test, const std::filesystem::path& path, ReadMode mode) {
  const Outcome outcome = use_everything(path, {.mode = mode});
  INFO(test.name << "\nused:" << texts(outcome.used) << "\nverified:" << texts(outcome.verified));
  switch (test.found) {
    case Found::open:
      CHECK_FALSE(outcome.opened);
      CHECK(any_of(outcome.used, test.codes));
      break;
    case Found::use:
      CHECK(any_of(outcome.used, test.codes));
      CHECK((!outcome.opened || any_of(outcome.verified, test.codes)));
      break;
    case Found::decode:
      CHECK(any_of(outcome.used, test.codes));
      break;
    case Found::verify:
      CHECK((!outcome.opened || any_of(outcome.verified, test.codes)));
      break;
  }
  for (const Error& error : outcome.used) CHECK(error.details().file == path);
  for (const Error& error : outcome.verified) CHECK(error.details().file == path);
}

void run(const std::vector<Case>& cases, void (*write)(const std::filesystem::path&) = write_sample) {
  const TempDir dir;
  write(dir / "a.ckpt");
  const FileImage whole{dir / "a.ckpt"};
  for (const Case& test : cases) {
    FileImage image = whole;
    test.patch(image);
    image.store(dir / "b.ckpt");
    check(test, dir / "b.ckpt", ReadMode::mmap);
    check(test, dir / "b.ckpt", ReadMode::read);
  }
}

const std::vector<ErrorCode> kCorrupt{ErrorCode::corrupt};
const std::vector<ErrorCode> kUnsupported{ErrorCode::unsupported};
const std::vector<ErrorCode> kEither{ErrorCode::corrupt, ErrorCode::unsupported};
const std::vector<ErrorCode> kCorruptOrLimit{ErrorCode::corrupt, ErrorCode::limit};

template <typename T>
Case header(std::string name, std::size_t offset, T value, std::vector<ErrorCode> codes) {
  return {std::move(name), Found::open, std::move(codes), [=](FileImage& image) {
            image.set<T>(offset, value);
            image.seal_header();
          }};
}

Case footer(std::string name, std::size_t field, std::uint64_t value, std::vector<ErrorCode> codes) {
  return {std::move(name), Found::open, std::move(codes), [=](FileImage& image) {
            image.set<std::uint64_t>(image.footer() + field, value);
            image.seal_footer();
          }};
}

// A patch of the index, with its sums made right again.
Case index(std::string name, Found found, std::vector<ErrorCode> codes, std::function<void(FileImage&)> patch) {
  return {std::move(name), found, std::move(codes), [patch = std::move(patch)](FileImage& image) {
            patch(image);
            image.seal_index();
          }};
}

// A number in the record of the tensor `path`.
template <typename T>
Case record(std::string name, std::string path, std::size_t field, T value, std::vector<ErrorCode> codes = kCorrupt,
            Found found = Found::use) {
  return index(std::move(name), found, std::move(codes),
               [=](FileImage& image) { image.set<T>(image.tensor(image.find(path)) + field, value); });
}

// A number in the first element of a column.
template <typename T>
Case element(std::string name, Column column, std::size_t bytes, std::size_t i, std::size_t field, T value,
             Found found = Found::use, std::vector<ErrorCode> codes = kCorrupt) {
  return index(std::move(name), found, std::move(codes),
               [=](FileImage& image) { image.set<T>(image.element(column, i, bytes) + field, value); });
}

// The bytes of a path, replaced by as many others; the data's sums are made right, too.
Case renamed(std::string name, std::string from, std::string to, Found found = Found::use) {
  return {std::move(name), found, kCorrupt, [=](FileImage& image) {
            const std::size_t i = image.find(from);
            const std::size_t start =
                image.element(Column::paths, image.get<std::uint32_t>(image.tensor(i) + at::kPathOffset), 1);
            for (std::size_t k = 0; k < to.size(); ++k) image.set<char>(start + k, to[k]);
            image.seal_data();
            image.seal_index();
          }};
}

Case dims(std::string name, std::int64_t first, std::int64_t second, std::vector<ErrorCode> codes) {
  return index(std::move(name), Found::use, std::move(codes), [=](FileImage& image) {
    const auto start = image.get<std::uint32_t>(image.tensor(image.find("w")) + at::kDimsOffset);
    image.set<std::int64_t>(image.element(Column::dims, start, 8), first);
    image.set<std::int64_t>(image.element(Column::dims, start + 1, 8), second);
  });
}

}  // namespace

TEST_CASE("sealing an unpatched file changes nothing") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  FileImage image{dir / "a.ckpt"};
  image.seal_all();
  CHECK(image.bytes() == read_file(dir / "a.ckpt"));
}

TEST_CASE("hostile headers") {
  run({
      header<std::uint16_t>("major version 0", at::kMajor, 0, kEither),
      header<std::uint16_t>("the next major version", at::kMajor, 2, kUnsupported),
      header<std::uint16_t>("byte-swapped version", at::kMajor, 0x0100, kUnsupported),
      header<std::uint32_t>("big endian", at::kByteOrder, 0x0D0C0B0A, kUnsupported),
      header<std::uint32_t>("no byte order", at::kByteOrder, 0, kCorrupt),
      header<std::uint64_t>("reserved bytes in use", at::kHeaderReserved, 1, kCorrupt),
      header<std::uint64_t>("the highest reserved byte in use", at::kHeaderReserved, 1ULL << 63U, kCorrupt),
      header<std::uint64_t>("an unassigned feature", at::kRequired, 1U | 2U, kUnsupported),
      header<std::uint64_t>("other files", at::kRequired, 1U | 4U, kUnsupported),
      header<std::uint64_t>("boxes", at::kRequired, 1U | 8U, kUnsupported),
      header<std::uint64_t>("an unknown required bit", at::kRequired, 1U | (1ULL << 63U), kUnsupported),
      header<std::uint64_t>("another uuid than in the footer", at::kUuid, 5, kCorrupt),
      {"zstd is used and not said", Found::use, kCorrupt,
       [](FileImage& image) {
         image.set<std::uint64_t>(at::kRequired, 0);
         image.seal_header();
       }},
  });
}

TEST_CASE("unknown optional bits and minor versions are accepted") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  FileImage image{dir / "a.ckpt"};
  image.set<std::uint64_t>(at::kOptional, 1U | (1ULL << 40U));
  image.set<std::uint16_t>(at::kMinor, 9);
  image.seal_header();
  image.store(dir / "b.ckpt");
  const Outcome outcome = use_everything(dir / "b.ckpt");
  INFO(texts(outcome.used) << texts(outcome.verified));
  CHECK_FALSE(outcome.refused());
  CHECK(Reader::open(dir / "b.ckpt").file().minor == 9);
}

TEST_CASE("an unknown required feature is named") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  FileImage image{dir / "a.ckpt"};
  image.set<std::uint64_t>(at::kRequired, 1U | 2U | (1ULL << 40U));
  image.seal_header();
  image.store(dir / "b.ckpt");
  CKPT_REQUIRE_ERROR(error, ErrorCode::unsupported, Reader::open(dir / "b.ckpt"));
  CHECK(contains(error.what(), "10000000002"));
  CHECK_FALSE(error.details().advice.empty());
}

TEST_CASE("hostile footers") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  const FileImage image{dir / "a.ckpt"};
  const std::uint64_t offset = image.index_offset();
  const std::uint64_t size = image.index_size();
  std::vector<Case> cases;
  for (const std::uint64_t bad : {std::uint64_t{0}, std::uint64_t{32}, std::uint64_t{64}, offset + 1, offset + 8,
                                  offset - 64, offset + 64, offset + size, image.footer() + 0, std::uint64_t{1} << 62U,
                                  kMost64, kMost64 - 4, kMost64 - 63, kMost64 - size + 1}) {
    cases.push_back(footer("index offset " + std::to_string(bad), at::kIndexOffset, bad, kCorrupt));
  }
  for (const std::uint64_t bad : {std::uint64_t{0}, std::uint64_t{1}, size - 8, size + 8, size + 1}) {
    cases.push_back(footer("index size " + std::to_string(bad), at::kIndexSize, bad, kCorrupt));
  }
  for (const std::uint64_t bad : {std::uint64_t{1} << 32U, std::uint64_t{1} << 63U, kMost64, kMost64 - offset + 1}) {
    cases.push_back(footer("index size " + std::to_string(bad), at::kIndexSize, bad, kCorruptOrLimit));
  }
  for (const std::uint64_t bad : {std::uint64_t{0}, image.size() - 1, image.size() + 1, kMost64}) {
    cases.push_back(footer("file size " + std::to_string(bad), at::kFileSize, bad, kCorrupt));
  }
  cases.push_back(footer("root of the page sums", at::kRootSum, 5, kCorrupt));
  cases.push_back(footer("uuid", at::kFooterUuid, 5, kCorrupt));
  cases.push_back(footer("no magic", at::kFooterMagic, 0, kCorrupt));
  run(cases);
}

TEST_CASE("an index over the limit is refused before anything is allocated") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  FileImage image{dir / "a.ckpt"};
  constexpr std::uint64_t kSize = 1ULL << 40U;  // sparse
  const std::uint64_t index_size = (kSize - 64 - image.index_offset()) / 8 * 7 / 8 * 8;
  const std::size_t end = image.footer();
  image.set<std::uint64_t>(end + at::kIndexSize, index_size);
  image.set<std::uint64_t>(end + at::kFileSize, kSize);
  image.seal_footer();
  image.store(dir / "b.ckpt");
  const Bytes tail(image.bytes().end() - 64, image.bytes().end());
  if (::truncate((dir / "b.ckpt").c_str(), static_cast<off_t>(kSize - 64)) != 0) {
    std::cout << "SKIPPED: no sparse files here\n";
    return;
  }
  {
    std::ofstream out{dir / "b.ckpt", std::ios::binary | std::ios::app};
    out.write(reinterpret_cast<const char*>(tail.data()), 64);
  }
  for (const ReadMode mode : {ReadMode::mmap, ReadMode::read}) {
    CKPT_REQUIRE_ERROR(error, ErrorCode::limit, Reader::open(dir / "b.ckpt", {.mode = mode}));
    CHECK(contains(error.what(), "kMaxIndexBytes"));
  }
}

TEST_CASE("hostile FlatBuffers tables") {
  std::vector<Case> cases;
  for (const std::uint32_t bad : {0U, 2U, 4U, 0x7ffffff0U, 0x80000000U, kMost32}) {
    cases.push_back(index("root offset " + std::to_string(bad), Found::open, kCorrupt,
                          [=](FileImage& image) { image.set<std::uint32_t>(image.index_offset(), bad); }));
  }
  cases.push_back(index("root at the end", Found::open, kCorrupt, [](FileImage& image) {
    image.set<std::uint32_t>(image.index_offset(), static_cast<std::uint32_t>(image.index_size()));
  }));
  cases.push_back(index("file identifier", Found::open, kCorrupt,
                        [](FileImage& image) { image.set<char>(image.index_offset() + 4, 'X'); }));
  for (const std::int32_t bad : {0, 1, -1, 1 << 30, -(1 << 30), std::numeric_limits<std::int32_t>::min(),
                                 std::numeric_limits<std::int32_t>::max()}) {
    cases.push_back(index("vtable at " + std::to_string(bad), Found::open, kCorrupt,
                          [=](FileImage& image) { image.set<std::int32_t>(image.root(), bad); }));
  }
  for (const int bad : {0, 2, 5, 0x7fff, 0xffff}) {
    cases.push_back(index("vtable of bytes " + std::to_string(bad), Found::open, kCorrupt, [=](FileImage& image) {
      image.set<std::uint16_t>(image.vtable_of(image.root()), static_cast<std::uint16_t>(bad));
    }));
  }
  for (const Column column : {Column::tensors, Column::paths, Column::dims, Column::chunk_sums, Column::counts,
                              Column::chunk_size, Column::small_alignment, Column::large_alignment}) {
    const std::string name = "column " + std::to_string(static_cast<unsigned>(column));
    cases.push_back(index(name + " is absent", Found::open, kCorrupt,
                          [=](FileImage& image) { image.set<std::uint16_t>(image.vtable_entry(column), 0); }));
    cases.push_back(index(name + " outside of the table", Found::open, kCorrupt,
                          [=](FileImage& image) { image.set<std::uint16_t>(image.vtable_entry(column), 0xfffe); }));
  }
  cases.push_back(index("counts that leave the table", Found::open, kCorrupt, [](FileImage& image) {
    const std::size_t size = image.vtable_of(image.root()) + 2;
    image.set<std::uint16_t>(size, static_cast<std::uint16_t>(image.count_in_root(Column::path_table) - image.root()));
  }));
  cases.push_back(index("no checksum", Found::open, kEither,
                        [](FileImage& image) { image.set<std::uint16_t>(image.vtable_entry(Column::checksum), 0); }));
  run(cases);
}

TEST_CASE("hostile vectors") {
  std::vector<Case> cases;
  for (const Column column :
       {Column::tensors, Column::paths, Column::dims, Column::chunk_sums, Column::frame_sizes, Column::blocks,
        Column::text, Column::metadata, Column::nodes, Column::edges, Column::slots}) {
    const std::string name = "column " + std::to_string(static_cast<unsigned>(column));
    for (const std::uint32_t bad : {kMost32, 0x7fffffffU, 0x20000000U, 0x10000000U, 0x04000000U}) {
      cases.push_back(index(name + " with count " + std::to_string(bad), Found::open, kCorruptOrLimit,
                            [=](FileImage& image) { image.set_count(column, bad); }));
      cases.push_back(index(name + " counted as " + std::to_string(bad), Found::open, kCorruptOrLimit,
                            [=](FileImage& image) { image.set(image.count_in_root(column), bad); }));
      cases.push_back(index(name + " of length " + std::to_string(bad), Found::verify, kCorruptOrLimit,
                            [=](FileImage& image) { image.set(image.vector(column), bad); }));
    }
    for (const std::uint32_t bad : {kMost32, 0x7ffffff0U, 0U, 3U}) {
      cases.push_back(index(name + " at " + std::to_string(bad), Found::verify, kCorruptOrLimit,
                            [=](FileImage& image) { image.set<std::uint32_t>(image.field(column), bad); }));
    }
    // Without an entry of metadata, or a slot, it is a whole file that holds less.
    if (column == Column::metadata || column == Column::slots) continue;
    cases.push_back(index(name + " with one less", Found::verify, kCorruptOrLimit,
                          [=](FileImage& image) { image.set_count(column, image.count(column) - 1); }));
    cases.push_back(index(name + " with none", Found::verify, kCorruptOrLimit,
                          [=](FileImage& image) { image.set_count(column, 0); }));
  }
  run(cases);
}

TEST_CASE("hostile numbers of the file as a whole") {
  std::vector<Case> cases;
  const auto scalar = [&](Column column, std::uint32_t bad, std::vector<ErrorCode> codes) {
    cases.push_back(index("field " + std::to_string(static_cast<unsigned>(column)) + " is " + std::to_string(bad),
                          Found::open, std::move(codes),
                          [=](FileImage& image) { image.set<std::uint32_t>(image.field(column), bad); }));
  };
  for (const std::uint32_t bad : {0U, 2U, 255U, kMost32}) scalar(Column::checksum, bad, kEither);
  for (const std::uint32_t bad : {0U, 1U, 4096U, 100'000U, 1U << 25U, 1U << 31U, kMost32}) {
    scalar(Column::chunk_size, bad, kCorruptOrLimit);
  }
  for (const std::uint32_t bad : {0U, 1U, 13U, 32U, 96U, 1U << 22U, 1U << 31U, kMost32}) {
    scalar(Column::small_alignment, bad, kCorruptOrLimit);
    scalar(Column::large_alignment, bad, kCorruptOrLimit);
  }
  run(cases);
}

TEST_CASE("reserved tables in use are a feature that is lacking, or damage") {
  const auto graft = [](Column reserved, Column source) {
    return index("reserved column", Found::open, kUnsupported, [=](FileImage& image) {
      image.set<std::uint16_t>(image.vtable_entry(reserved), image.get<std::uint16_t>(image.vtable_entry(source)));
      image.set<std::uint32_t>(image.count_in_root(reserved), image.count(source));
    });
  };
  const auto uncounted = [](Column reserved, Column source) {
    return index("reserved column that is not counted", Found::verify, kCorrupt, [=](FileImage& image) {
      image.set<std::uint16_t>(image.vtable_entry(reserved), image.get<std::uint16_t>(image.vtable_entry(source)));
    });
  };
  run({graft(Column::files, Column::slots), graft(Column::boxes, Column::chunk_sums),
       uncounted(Column::files, Column::slots), uncounted(Column::boxes, Column::chunk_sums)});
}

TEST_CASE("hostile blobs") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  const FileImage image{dir / "a.ckpt"};
  const std::uint64_t own = image.get<std::uint64_t>(image.tensor(image.find("w")) + at::kBlobOffset);
  std::vector<Case> cases;
  for (const std::uint64_t bad :
       {std::uint64_t{0}, std::uint64_t{8}, own + 1, own + 32, std::uint64_t{image.index_offset()},
        std::uint64_t{image.footer()}, std::uint64_t{image.size()}, std::uint64_t{1} << 40U, kMost64, kMost64 - 3,
        kMost64 - 63, std::uint64_t{1} << 63U}) {
    cases.push_back(record<std::uint64_t>("blob at " + std::to_string(bad), "w", at::kBlobOffset, bad));
  }
  for (const std::uint64_t bad : {std::uint64_t{0}, std::uint64_t{5}, std::uint64_t{7}, std::uint64_t{64},
                                  std::uint64_t{1} << 48U, kMost64, kMost64 - own + 1}) {
    cases.push_back(record<std::uint64_t>("blob of bytes " + std::to_string(bad), "w", at::kBlobSize, bad));
    cases.push_back(record<std::uint64_t>("data of bytes " + std::to_string(bad), "w", at::kDataSize, bad));
    cases.push_back(record<std::uint64_t>("text of bytes " + std::to_string(bad), "all/string", at::kDataSize, bad));
    cases.push_back(record<std::uint64_t>("frames of bytes " + std::to_string(bad), "squeezed", at::kBlobSize, bad));
    cases.push_back(record<std::uint64_t>("decoded bytes " + std::to_string(bad), "squeezed", at::kDataSize, bad));
  }
  run(cases);
}

TEST_CASE("undeclared overlap, holes and rubbish between blobs are found by verify") {
  run({
      index("two tensors, one blob", Found::verify, kCorrupt,
            [](FileImage& image) {
              const auto other = image.get<std::uint64_t>(image.tensor(image.find("w/m")) + at::kBlobOffset);
              image.set<std::uint64_t>(image.tensor(image.find("w")) + at::kBlobOffset, other);
              image.seal_data();
            }),
      {"padding in use", Found::verify, kCorrupt,
       [](FileImage& image) {
         const auto offset = image.get<std::uint64_t>(image.tensor(image.find("w")) + at::kBlobOffset);
         image.set<char>(offset + 6, 'x');
       }},
      {"the last padding byte in use", Found::verify, kCorrupt,
       [](FileImage& image) { image.set<char>(image.index_offset() - 1, 'x'); }},
      index("one blob within another", Found::verify, kCorrupt,
            [](FileImage& image) {
              const auto large = image.get<std::uint64_t>(image.tensor(image.find("large")) + at::kBlobOffset);
              image.set<std::uint64_t>(image.tensor(image.find("w")) + at::kBlobOffset, large + 64);
              image.seal_data();
            }),
  });
}

TEST_CASE("hostile paths") {
  run({
      record<std::uint32_t>("path outside of the pool", "w", at::kPathOffset, 1U << 20U),
      record<std::uint32_t>("path offset that wraps", "w", at::kPathOffset, kMost32),
      record<std::uint32_t>("empty path", "w", at::kPathSize, 0),
      record<std::uint32_t>("path that leaves the pool", "w", at::kPathSize, kMost32, kCorruptOrLimit),
      record<std::uint32_t>("path over the limit", "w", at::kPathSize, kMaxPathBytes + 1, kCorruptOrLimit),
      renamed("NUL in a path", "all/f32", std::string{"all/f\0z", 7}),
      renamed("newline in a path", "all/f32", "all/f\n2"),
      renamed("escape in a path", "all/f32", "all/\x1b[m"),
      renamed("parent in a path", "scalar", "sca/.."),
      renamed("empty name in a path", "all/f32", "all//32"),
      renamed("no UTF-8", "all/f32", "all/f\xff\xfe"),
      renamed("two tensors of one path", "all/f16", "all/f32", Found::verify),
      renamed("paths out of order", "all/f32", "zzz/f32", Found::verify),
  });
}

TEST_CASE("names from a hostile file are escaped in messages") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  FileImage image{dir / "a.ckpt"};
  renamed("", "all/f32", "all/\x1b[m").patch(image);
  image.store(dir / "b.ckpt");
  const Outcome outcome = use_everything(dir / "b.ckpt");
  REQUIRE(outcome.refused());
  for (const Error& error : outcome.used) CHECK_FALSE(contains(error.what(), "\x1b"));
  for (const Error& error : outcome.verified) CHECK_FALSE(contains(error.what(), "\x1b"));
}

TEST_CASE("hostile shapes and dtypes") {
  run({
      record<std::uint8_t>("rank 9", "w", at::kRank, 9, kCorruptOrLimit),
      record<std::uint8_t>("rank 255", "w", at::kRank, 255, kCorruptOrLimit),
      record<std::uint8_t>("another rank", "w", at::kRank, 1),
      record<std::uint32_t>("dimensions outside of the pool", "w", at::kDimsOffset, 1U << 20U),
      record<std::uint32_t>("dimensions that wrap", "w", at::kDimsOffset, kMost32),
      dims("negative dimension", -1, -6, kCorrupt),
      dims("most negative dimension", std::numeric_limits<std::int64_t>::min(), 1, kCorrupt),
      dims("product overflows", kMostDim, 2, kCorruptOrLimit),
      dims("product wraps to the right size", std::int64_t{1} << 62U, 4, kCorruptOrLimit),
      dims("another product", 2, 4, kCorrupt),
      dims("zero", 0, 5, kCorrupt),
      record<std::uint16_t>("wider dtype", "w", at::kDType, static_cast<std::uint16_t>(DType::f64)),
      record<std::uint16_t>("bytes overflow", "w", at::kDType, static_cast<std::uint16_t>(DType::c128)),
      record<std::uint16_t>("packed elements that end within a byte", "w", at::kDType,
                            static_cast<std::uint16_t>(DType::f6_e2m3)),
      record<std::uint16_t>("block without a block type", "w", at::kDType, static_cast<std::uint16_t>(DType::block)),
      record<std::uint32_t>("block type of a plain dtype", "w", at::kBlock, 0),
      record<std::uint32_t>("block type out of range", "all/block", at::kBlock, 1),
      record<std::uint32_t>("no block type", "all/block", at::kBlock, kMost32),
      element<std::uint32_t>("blocks of no bytes", Column::blocks, 16, 0, 8, 0),
      element<std::uint32_t>("blocks of no elements", Column::blocks, 16, 0, 12, 0),
      element<std::uint32_t>("blocks that do not divide", Column::blocks, 16, 0, 12, 33),
      element<std::uint32_t>("blocks of many bytes", Column::blocks, 16, 0, 8, kMost32),
      element<std::uint32_t>("block name out of range", Column::blocks, 16, 0, 0, kMost32),
      element<std::uint32_t>("block name too long", Column::blocks, 16, 0, 4, kMost32),
  });
}

TEST_CASE("an unknown dtype is opaque bytes, and its other checks hold") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  FileImage image{dir / "a.ckpt"};
  const std::size_t i = image.find("w");
  image.set<std::uint16_t>(image.tensor(i) + at::kDType, 200);
  image.seal_data();
  image.seal_index();
  image.store(dir / "b.ckpt");
  const Reader reader = Reader::open(dir / "b.ckpt", {.verify = Verify::lazy});
  const TensorView view = reader.tensor("w");
  CHECK(to_string(view.dtype()) == "unknown");
  CHECK(bytes_of(view) == random_bytes(6, 78));
  CKPT_CHECK_CODE(ErrorCode::mismatch, view.as<std::uint8_t>());
  // An alias is another dtype's than its owner then, and that is found.
  image.set<std::uint64_t>(image.tensor(i) + at::kBlobOffset, image.footer());
  image.seal_index();
  image.store(dir / "c.ckpt");
  CKPT_CHECK_CODE(ErrorCode::corrupt, Reader::open(dir / "c.ckpt").tensor("w"));
}

TEST_CASE("hostile chunks, frames and aliases") {
  run({
      record<std::uint8_t>("the next codec", "w", at::kCodec, 2, kEither),
      record<std::uint8_t>("unknown codec", "w", at::kCodec, 255, kEither),
      record<std::uint8_t>("stored data said to be zstd", "w", at::kCodec, 1),
      record<std::uint8_t>("zstd said to be stored", "squeezed", at::kCodec, 0),
      record<std::uint32_t>("reserved field of a record", "w", at::kTensorReserved, 1),
      record<std::uint32_t>("no chunks", "w", at::kChunkCount, 0),
      record<std::uint32_t>("too many chunks", "w", at::kChunkCount, 2),
      record<std::uint32_t>("far too many chunks", "w", at::kChunkCount, kMost32),
      record<std::uint32_t>("too few chunks", "squeezed", at::kChunkCount, 2),
      record<std::uint32_t>("more chunks", "squeezed", at::kChunkCount, 4),
      record<std::uint32_t>("chunks outside of the sums", "w", at::kFirstChunk, 1U << 20U),
      record<std::uint32_t>("chunks that wrap", "w", at::kFirstChunk, kMost32),
      record<std::uint32_t>("frames outside of the sizes", "squeezed", at::kFirstFrame, 1),
      record<std::uint32_t>("frames that wrap", "squeezed", at::kFirstFrame, kMost32),
      record<std::uint32_t>("a frame of stored data", "w", at::kFirstFrame, 1, kCorrupt, Found::verify),
      element<std::uint32_t>("frame of no bytes", Column::frame_sizes, 4, 0, 0, 0),
      element<std::uint32_t>("frame too long", Column::frame_sizes, 4, 0, 0, kMost32),
      element<std::uint32_t>("frame a byte longer", Column::frame_sizes, 4, 1, 0, 1000),
      record<std::uint32_t>("alias of none", "tied", at::kAliasOf, 1000),
      record<std::uint32_t>("alias far away", "tied", at::kAliasOf, kMost32 - 1),
      index("alias of itself", Found::use, kCorrupt,
            [](FileImage& image) {
              const std::size_t i = image.find("tied");
              image.set<std::uint32_t>(image.tensor(i) + at::kAliasOf, static_cast<std::uint32_t>(i));
            }),
      index("alias of an alias", Found::use, kCorrupt,
            [](FileImage& image) {
              const auto tied = static_cast<std::uint32_t>(image.find("tied"));
              image.set<std::uint32_t>(image.tensor(image.find("w/m")) + at::kAliasOf, tied);
            }),
      index("alias of another size", Found::use, kCorrupt,
            [](FileImage& image) {
              const auto other = static_cast<std::uint32_t>(image.find("all/f64"));
              image.set<std::uint32_t>(image.tensor(image.find("tied")) + at::kAliasOf, other);
            }),
      index("alias with a blob of its own", Found::use, kCorrupt,
            [](FileImage& image) {
              const auto other = image.get<std::uint64_t>(image.tensor(image.find("w/m")) + at::kBlobOffset);
              image.set<std::uint64_t>(image.tensor(image.find("tied")) + at::kBlobOffset, other);
            }),
      index(
          "an alias that is not declared", Found::verify, kCorrupt,
          [](FileImage& image) { image.set<std::uint32_t>(image.tensor(image.find("tied")) + at::kAliasOf, kMost32); }),
  });
}

// "exponents": two chunks of f32, of which the highest plane is a frame.
void write_planes(const std::filesystem::path& path) {
  Writer writer{path, sample_options()};
  writer.add("exponents", DType::f32, {2, 16384}, normal_floats(2 * kMinChunkBytes, 1),
             {.compression = Compression::zstd});
  writer.commit();
}

TEST_CASE("hostile planes and frames with right sums") {
  constexpr std::uint32_t kPlane = 16384;
  constexpr std::size_t kTable = 4;
  constexpr std::size_t kFrame = kTable + 4 * sizeof(std::uint32_t) + 3 * std::size_t{kPlane};
  const auto chunk = [](std::string name, Found found, auto patch) {
    return Case{std::move(name), found, kCorrupt, [=](FileImage& image) {
                  const std::size_t record = image.tensor(image.find("exponents"));
                  patch(image, static_cast<std::size_t>(image.get<std::uint64_t>(record + at::kBlobOffset)));
                  image.seal_data();
                  image.seal_index();
                }};
  };
  const auto byte = [&](std::string name, std::size_t offset, std::uint8_t value, Found found = Found::use) {
    return chunk(std::move(name), found,
                 [=](FileImage& image, std::size_t blob) { image.set<std::uint8_t>(blob + offset, value); });
  };
  const auto flip = [&](std::string name, std::size_t offset, std::uint8_t bits, Found found = Found::use) {
    return chunk(std::move(name), found, [=](FileImage& image, std::size_t blob) {
      const auto present = image.get<std::uint8_t>(blob + kFrame + offset);
      image.set<std::uint8_t>(blob + kFrame + offset, static_cast<std::uint8_t>(present ^ bits));
    });
  };
  // Adds to the sizes of two planes, modulo 2^32.
  const auto sizes = [&](std::string name, std::uint32_t plane, std::uint32_t more, std::uint32_t other = 0,
                         std::uint32_t other_more = 0) {
    return chunk(std::move(name), Found::use, [=](FileImage& image, std::size_t blob) {
      for (const auto& [i, change] : {std::pair{plane, more}, std::pair{other, other_more}}) {
        const std::size_t entry = blob + kTable + sizeof(std::uint32_t) * i;
        image.set<std::uint32_t>(entry, image.get<std::uint32_t>(entry) + change);
      }
    });
  };
  const std::uint32_t minus_one = kMost32;
  run(
      {
          byte("no planes", 0, 0),
          byte("planes of one byte", 0, 1),
          byte("two planes", 0, 2),
          byte("three planes", 0, 3),
          byte("eight planes", 0, 8),
          byte("255 planes", 0, 255),
          byte("rotated twice", 1, 2),
          byte("reserved byte of a chunk", 2, 1),
          byte("last reserved byte of a chunk", 3, 0x80),
          sizes("a plane of no bytes", 0, -kPlane),
          sizes("a plane that is too long", 0, 1),
          sizes("a plane that is far too long", 0, kMost32 - kPlane),
          sizes("a plane that ends behind its chunk", 3, 1),
          sizes("a plane that ends before its chunk does", 3, minus_one),
          sizes("a frame instead of a stored plane", 0, minus_one, 3, 1),
          sizes("sizes that wrap", 1, 0x80000000U, 2, 0x80000000U),
          flip("no magic", 0, 0xff),
          flip("skippable frame", 0, 0x78),
          flip("a frame with a dictionary", 4, 0x01),
          flip("larger window", 4, 0x20),
          flip("another content size", 5, 0x10),
          flip("another content size, high byte", 6, 0x80),
          flip("first block", 7, 0x06),
          flip("first codes", 20, 0xff, Found::decode),
          element<std::uint32_t>("chunk of no bytes", Column::frame_sizes, 4, 0, 0, 0),
          element<std::uint32_t>("chunk that is too long", Column::frame_sizes, 4, 0, 0, kMost32),
          element<std::uint32_t>("chunk that is longer than planes can be", Column::frame_sizes, 4, 0, 0, 65536 + 37),
          chunk("a byte of the second chunk in the first", Found::use,
                [](FileImage& image, std::size_t) {
                  for (const std::uint32_t i : {0U, 1U}) {
                    const std::size_t size = image.element(Column::frame_sizes, i, 4);
                    image.set<std::uint32_t>(size, image.get<std::uint32_t>(size) + (i == 0 ? 1 : kMost32));
                  }
                }),
      },
      write_planes);
}

// Compressed bytes can promise much memory. What they cannot promise is refused before any is taken.
TEST_CASE("a tensor that promises more than its chunks can hold takes no memory") {
  const TempDir dir;
  write_planes(dir / "a.ckpt");
  FileImage image{dir / "a.ckpt"};
  const std::size_t record = image.tensor(image.find("exponents"));
  image.set<std::uint32_t>(image.element(Column::frame_sizes, 0, 4), 1);
  image.set<std::uint64_t>(record + at::kBlobSize,
                           1U + image.get<std::uint32_t>(image.element(Column::frame_sizes, 1, 4)));
  image.seal_index();
  image.store(dir / "b.ckpt");
  CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, Reader::open(dir / "b.ckpt").tensor("exponents"));
  CHECK(contains(error.what(), "impossible size"));
}

// Many tensors that claim the same bytes: each would be checked, again and again.
TEST_CASE("overlapping blobs do not multiply the work of verification") {
  const TempDir dir;
  constexpr int kTensors = 2000;
  {
    Writer writer{dir / "a.ckpt", sample_options()};
    writer.add("0", DType::u8, {4 << 20U}, Bytes(4U << 20U));
    for (int i = 1; i < kTensors; ++i) writer.add(std::to_string(i), DType::u8, {1}, Bytes(1));
    writer.commit();
  }
  FileImage image{dir / "a.ckpt"};
  const std::size_t first = image.tensor(image.find("0"));
  for (int i = 1; i < kTensors; ++i) {
    const std::size_t record = image.tensor(image.find(std::to_string(i)));
    for (const std::size_t field : {at::kBlobOffset, at::kBlobSize, at::kDataSize}) {
      image.set<std::uint64_t>(record + field, image.get<std::uint64_t>(first + field));
    }
    image.set<std::uint32_t>(record + at::kFirstChunk, image.get<std::uint32_t>(first + at::kFirstChunk));
    image.set<std::uint32_t>(record + at::kChunkCount, image.get<std::uint32_t>(first + at::kChunkCount));
    image.set<std::uint32_t>(record + at::kDimsOffset, image.get<std::uint32_t>(first + at::kDimsOffset));
  }
  image.seal_index();
  image.store(dir / "b.ckpt");
  const VerifyReport report = Reader::open(dir / "b.ckpt").verify();
  CHECK(has_code(report.problems, ErrorCode::corrupt));
  CHECK(report.bytes < 2 * image.size());
}

TEST_CASE("hostile metadata") {
  run({
      element<std::uint32_t>("key out of range", Column::metadata, 24, 0, 8, kMost32),
      element<std::uint32_t>("key too long", Column::metadata, 24, 0, 12, kMost32, Found::use, kCorruptOrLimit),
      element<std::uint32_t>("empty key", Column::metadata, 24, 0, 12, 0),
      element<std::uint64_t>("value out of range", Column::metadata, 24, 0, 0, kMost64),
      element<std::uint32_t>("value too long", Column::metadata, 24, 0, 16, kMost32, Found::use, kCorruptOrLimit),
      element<std::uint32_t>("unknown type", Column::metadata, 24, 0, 20, 5, Found::use, kEither),
      element<std::uint32_t>("negative type", Column::metadata, 24, 0, 20, kMost32, Found::use, kEither),
      index("the same key twice", Found::use, kCorrupt,
            [](FileImage& image) {
              const std::size_t one = image.element(Column::metadata, 0, 24);
              const std::size_t two = image.element(Column::metadata, 1, 24);
              for (std::size_t i = 0; i < 24; i += 8)
                image.set<std::uint64_t>(two + i, image.get<std::uint64_t>(one + i));
            }),
  });
}

TEST_CASE("hostile graphs") {
  run({
      element<std::uint32_t>("edges out of range", Column::nodes, 16, 0, 0, kMost32),
      element<std::uint32_t>("too many edges", Column::nodes, 16, 0, 4, kMost32),
      element<std::uint32_t>("edges of the next node", Column::nodes, 16, 0, 4, 4),
      element<std::uint32_t>("tensor out of range", Column::nodes, 16, 2, 8, 1000),
      element<std::uint32_t>("reserved field of a node", Column::nodes, 16, 0, 12, 1),
      element<std::uint32_t>("edge to nowhere", Column::edges, 16, 0, 8, 4),
      element<std::uint32_t>("edge far away", Column::edges, 16, 0, 8, kMost32),
      element<std::uint32_t>("edge name out of range", Column::edges, 16, 0, 0, kMost32),
      element<std::uint32_t>("edge name too long", Column::edges, 16, 0, 4, kMost32, Found::use, kCorruptOrLimit),
      element<std::uint32_t>("empty edge name", Column::edges, 16, 0, 4, 0),
      element<std::uint32_t>("reserved field of an edge", Column::edges, 16, 0, 12, 1),
      element<std::uint32_t>("slot of no owner", Column::slots, 24, 0, 0, 4),
      element<std::uint32_t>("slot of no variable", Column::slots, 24, 0, 4, kMost32),
      element<std::uint32_t>("slot without a node", Column::slots, 24, 0, 8, 4),
      element<std::uint32_t>("slot name out of range", Column::slots, 24, 0, 12, kMost32),
      element<std::uint32_t>("reserved field of a slot", Column::slots, 24, 0, 20, 1),
      index("edges out of order", Found::use, kCorrupt,
            [](FileImage& image) {
              const std::size_t one = image.element(Column::edges, 0, 16);
              const std::size_t two = image.element(Column::edges, 1, 16);
              for (std::size_t i = 0; i < 16; i += 8) {
                const auto kept = image.get<std::uint64_t>(one + i);
                image.set<std::uint64_t>(one + i, image.get<std::uint64_t>(two + i));
                image.set<std::uint64_t>(two + i, kept);
              }
            }),
  });
}

TEST_CASE("hostile tables of paths") {
  // The first slot that holds a tensor, and all slots.
  const auto slot = [](const FileImage& image) {
    std::size_t i = 0;
    while (image.get<std::uint32_t>(image.element(Column::path_table, i, 8) + 4) == kMost32) ++i;
    return image.element(Column::path_table, i, 8);
  };
  const auto patched = [&](std::string name, std::size_t field, std::uint32_t value) {
    return index(std::move(name), Found::verify, kCorrupt,
                 [=](FileImage& image) { image.set<std::uint32_t>(slot(image) + field, value); });
  };
  const auto filled = [](std::string name, std::uint32_t tag, std::uint32_t tensor, bool empty_only) {
    return index(std::move(name), Found::verify, kCorrupt, [=](FileImage& image) {
      for (std::size_t i = 0; i < image.count(Column::path_table); ++i) {
        const std::size_t at = image.element(Column::path_table, i, 8);
        if (empty_only && image.get<std::uint32_t>(at + 4) != kMost32) continue;
        image.set<std::uint32_t>(at, tag);
        image.set<std::uint32_t>(at + 4, tensor);
      }
    });
  };
  run({patched("a tensor out of range", 4, 80), patched("a tensor far away", 4, kMost32 - 1),
       patched("another tensor", 4, 7), patched("another tag", 0, 1), patched("an empty slot with a tag", 4, kMost32),
       filled("all empty", 0, kMost32, false), filled("all full", 5, 0, true), filled("all alike", 5, 3, false),
       filled("all out of range", 5, kMost32 - 1, false),
       index("a table of another size", Found::open, kCorrupt,
             [](FileImage& image) { image.set_count(Column::path_table, image.count(Column::path_table) / 2); }),
       index("no table", Found::open, kCorrupt,
             [](FileImage& image) { image.set<std::uint16_t>(image.vtable_entry(Column::path_table), 0); })},
      write_wide);
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
  struct rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  const Reader reader = Reader::open(dir / "b.ckpt");
  const auto code = code_of([&] { reader.graph(); });
  CHECK((code == ErrorCode::corrupt || code == ErrorCode::limit));
  CHECK_FALSE(reader.verify().ok());
  struct rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  CHECK(after.ru_maxrss - before.ru_maxrss < 64 * 1024);  // KiB
}

TEST_CASE("a hole of a terabyte costs neither memory nor time") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  FileImage image{dir / "a.ckpt"};
  const std::size_t end_of_blobs = image.index_offset();
  constexpr std::uint64_t kIndexAt = 1ULL << 40U;  // sparse
  const std::uint64_t tail_bytes = image.size() - end_of_blobs;
  image.set<std::uint64_t>(image.footer() + at::kIndexOffset, kIndexAt);
  image.set<std::uint64_t>(image.footer() + at::kFileSize, kIndexAt + tail_bytes);
  image.seal_footer();
  image.store(dir / "b.ckpt");
  const Bytes tail(image.bytes().begin() + static_cast<std::ptrdiff_t>(end_of_blobs), image.bytes().end());
  if (::truncate((dir / "b.ckpt").c_str(), static_cast<off_t>(end_of_blobs)) != 0 ||
      ::truncate((dir / "b.ckpt").c_str(), static_cast<off_t>(kIndexAt)) != 0) {
    std::cout << "SKIPPED: no sparse files here\n";
    return;
  }
  {
    std::ofstream out{dir / "b.ckpt", std::ios::binary | std::ios::app};
    out.write(reinterpret_cast<const char*>(tail.data()), static_cast<std::streamsize>(tail.size()));
  }
  for (const ReadMode mode : {ReadMode::mmap, ReadMode::read}) {
    const Reader reader = Reader::open(dir / "b.ckpt", {.mode = mode});
    CHECK(bytes_of(reader.tensor("w")) == random_bytes(6, 78));
    const VerifyReport report = reader.verify();
    INFO(texts(report.problems));
    CHECK(has_code(report.problems, ErrorCode::corrupt));
  }
}

TEST_CASE("random patches of a sealed file do no harm") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  const FileImage whole{dir / "a.ckpt"};
  std::mt19937_64 random{20240229};
  const std::vector<std::uint64_t> values{0,          1,       2,           7,           8,          63,
                                          64,         255,     4096,        65536,       0x7fffffff, 0x80000000,
                                          0xffffffff, kMost64, kMost64 - 7, 1ULL << 62U, 1ULL << 63U};
  constexpr int kRounds = 4000;
  int refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    FileImage image = whole;
    for (std::uint64_t k = random() % 3 + 1; k > 0; --k) {
      const std::size_t span = image.index_size() - 8;
      const std::size_t offset = image.index_offset() + (random() % span) / 4 * 4;
      const std::uint64_t value = random() % 4 == 0 ? random() : values[random() % values.size()];
      switch (random() % 4) {
        case 0:
          image.set<std::uint8_t>(offset + random() % 4, static_cast<std::uint8_t>(value));
          break;
        case 1:
          image.set<std::uint16_t>(offset + random() % 2 * 2, static_cast<std::uint16_t>(value));
          break;
        case 2:
          image.set<std::uint32_t>(offset, static_cast<std::uint32_t>(value));
          break;
        default:
          image.set<std::uint64_t>(offset, value);
          break;
      }
    }
    try {
      image.seal_data();
      image.seal_index();
    } catch (const std::out_of_range&) {  // the patch made nonsense of the records: seal what is still in its place
      image.bytes().resize(whole.size());
      if (image.index_offset() == whole.index_offset()) image.seal_index();
    }
    image.store(dir / "b.ckpt");
    const ReadMode mode = round % 2 == 0 ? ReadMode::mmap : ReadMode::read;
    if (use_everything(dir / "b.ckpt", {.mode = mode}).refused()) ++refused;
  }
  std::cout << kRounds << " random patches, " << refused << " were refused\n";
  CHECK(refused > kRounds / 2);
}
