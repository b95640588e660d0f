// The contract of the Writer: streams, alignment, order of calls, determinism, nothing without commit.
#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <support/child.hpp>
#include <support/errors.hpp>
#include <support/files.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

WriterOptions fast() {
  WriterOptions options;
  options.durable = false;
  return options;
}

void write_small(const std::filesystem::path& path, std::uint8_t value) {
  Writer writer{path, fast()};
  writer.add<std::uint8_t>("value", {}, std::span{&value, 1});
  writer.commit();
}

std::uint8_t read_small(const std::filesystem::path& path) {
  const TensorView view = Reader::open(path, {.verify = Verify::full}).tensor("value");
  return view.as<std::uint8_t>()[0];
}

bool allocates_ahead(const std::filesystem::path& probe) {
  const int file = ::open(probe.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const bool can = ::fallocate(file, 0, 0, 1) == 0;
  ::close(file);
  return can;
}

}  // namespace

TEST_CASE("a tensor may come in pieces of any size") {
  const TempDir dir;
  const Bytes data = random_bytes(1'000'003, 9);
  for (const Compression compression : {Compression::none, Compression::zstd}) {
    const auto path = dir / "pieces.ckpt";
    WriterOptions options = fast();
    options.chunk_bytes = kMinChunkBytes;
    Writer writer{path, options};
    writer.begin("first", DType::u8, {static_cast<std::int64_t>(data.size())}, {.compression = compression});
    std::mt19937 generator{4};
    for (std::size_t done = 0; done < data.size();) {
      const std::size_t size = std::min<std::size_t>(generator() % 70'000, data.size() - done);
      Bytes piece(data.begin() + static_cast<std::ptrdiff_t>(done),
                  data.begin() + static_cast<std::ptrdiff_t>(done + size));
      writer.append(piece);
      std::ranges::fill(piece, std::byte{0xee});  // the Writer must not need it any longer
      done += size;
    }
    writer.end();
    writer.begin("nothing", DType::f32, {0, 4});
    writer.end();
    writer.begin("one byte at a time", DType::u16, {2});
    for (int i = 0; i < 4; ++i) writer.append(std::span{data}.subspan(static_cast<std::size_t>(i), 1));
    writer.end();
    writer.commit();
    const Reader reader = Reader::open(path, {.verify = Verify::full});
    CHECK(bytes_of(reader.tensor("first")) == data);
    CHECK(bytes_of(reader.tensor("nothing")).empty());
    CHECK(bytes_of(reader.tensor("one byte at a time")) == Bytes(data.begin(), data.begin() + 4));
  }
}

TEST_CASE("a file much larger than any buffer, from memory that is reused") {
  const TempDir dir;
  const auto path = dir / "large.ckpt";
  constexpr std::int64_t kRows = 48;
  Bytes row(1U << 20U);
  const auto fill = [&row](std::int64_t number) { row = random_bytes(row.size(), static_cast<std::uint64_t>(number)); };
  {
    Writer writer{path, fast()};
    for (std::int64_t i = 0; i < kRows / 2; ++i) {
      fill(i);
      writer.add("row" + std::to_string(i), DType::u8, {1 << 20}, row);
      std::ranges::fill(row, std::byte{0});
    }
    writer.begin("rest", DType::u8, {kRows / 2, 1 << 20});
    for (std::int64_t i = kRows / 2; i < kRows; ++i) {
      fill(i);
      writer.append(row);
      std::ranges::fill(row, std::byte{0});
    }
    writer.end();
    writer.commit();
  }
  const Reader reader = Reader::open(path);
  CHECK(reader.verify().ok());
  for (std::int64_t i = 0; i < kRows / 2; i += 5) {
    fill(i);
    const TensorView view = reader.tensor("row" + std::to_string(i));
    CHECK(std::ranges::equal(view.bytes(), row));
  }
  const TensorView rest = reader.tensor("rest");
  for (std::int64_t i = kRows / 2; i < kRows; i += 7) {
    fill(i);
    CHECK(std::ranges::equal(rest.bytes().subspan(static_cast<std::size_t>(i - kRows / 2) << 20U, row.size()), row));
  }
}

TEST_CASE("blobs lie on the alignment that the file records") {
  const TempDir dir;
  struct Case {
    std::uint32_t small, large;
  };
  for (const Case& alignment : {Case{256, 4096}, Case{64, 64}, Case{64, 65536}, Case{1024, 2U << 20U}}) {
    const auto path = dir / "aligned.ckpt";
    WriterOptions options = fast();
    options.small_alignment = alignment.small;
    options.large_alignment = alignment.large;
    {
      Writer writer{path, options};
      for (const std::int64_t size : {1, 255, 257, 4095, 4096, 4097, 65536, 3, 2 << 20}) {
        writer.add("t" + std::to_string(size), DType::u8, {size}, random_bytes(static_cast<std::size_t>(size), 2));
      }
      writer.commit();
    }
    const Reader reader = Reader::open(path, {.mode = ReadMode::mmap});
    CHECK(reader.file().small_alignment == alignment.small);
    CHECK(reader.file().large_alignment == alignment.large);
    for (std::size_t i = 0; i < reader.size(); ++i) {
      const TensorInfo info = reader.info(i);
      INFO(info.path);
      const std::uint32_t wanted = info.stored_bytes >= alignment.large ? alignment.large : alignment.small;
      CHECK(info.offset % wanted == 0);
      const TensorView view = reader.tensor(i);
      const std::uint32_t in_memory = std::min<std::uint32_t>(wanted, 4096);  // a mapping starts on a page
      CHECK(reinterpret_cast<std::uintptr_t>(view.bytes().data()) % in_memory == 0);
      const TensorView copy = Reader::open(path, {.mode = ReadMode::read}).tensor(i);
      CHECK(reinterpret_cast<std::uintptr_t>(copy.bytes().data()) % std::min<std::uint32_t>(wanted, 64) == 0);
    }
    CHECK(reader.verify().ok());
  }
}

TEST_CASE("the bytes between blobs are zero") {
  const TempDir dir;
  const auto path = dir / "gaps.ckpt";
  WriterOptions options = fast();
  {
    Writer writer{path, options};
    for (int i = 0; i < 40; ++i) {
      const std::int64_t size = (i * 613) % 9000 + 1;
      writer.add("t" + std::to_string(i), DType::u8, {size}, random_bytes(static_cast<std::size_t>(size), 3));
    }
    writer.commit();
  }
  const Bytes bytes = read_file(path);
  const Reader reader = Reader::open(path);
  std::vector<bool> owned(reader.file().index_offset, false);
  std::fill_n(owned.begin(), 64, true);
  for (std::size_t i = 0; i < reader.size(); ++i) {
    const TensorInfo info = reader.info(i);
    for (std::uint64_t k = 0; k < info.stored_bytes; ++k) {
      CHECK_FALSE(owned[info.offset + k]);
      owned[info.offset + k] = true;
    }
  }
  bool zero = true;
  for (std::size_t i = 0; i < owned.size(); ++i) zero = zero && (owned[i] || bytes[i] == std::byte{0});
  CHECK(zero);
}

TEST_CASE("the same input with the same uuid and time gives the same bytes") {
  const TempDir dir;
  write_sample(dir / "one.ckpt");
  write_sample(dir / "two.ckpt");
  CHECK(read_file(dir / "one.ckpt") == read_file(dir / "two.ckpt"));
  write_small(dir / "three.ckpt", 1);
  write_small(dir / "four.ckpt", 1);
  CHECK(Reader::open(dir / "three.ckpt").file().uuid != Reader::open(dir / "four.ckpt").file().uuid);
}

TEST_CASE("without commit nothing appears and the old file stays") {
  const TempDir dir;
  const auto path = dir / "a.ckpt";
  {
    Writer writer{path, fast()};
    writer.add("x", DType::u8, {100}, random_bytes(100, 1));
  }
  CHECK(names_in(dir.path()).empty());
  write_small(path, 1);
  {
    Writer writer{path, fast()};
    writer.add("x", DType::u8, {100}, random_bytes(100, 1));
    writer.begin("y", DType::u8, {100});
    writer.append(random_bytes(50, 1));
    CHECK(read_small(path) == 1);
  }
  CHECK(names_in(dir.path()) == std::vector<std::string>{"a.ckpt"});
  CHECK(read_small(path) == 1);
}

TEST_CASE("a Writer can be moved; what it replaces is dropped") {
  const TempDir dir;
  Writer writer{dir / "a.ckpt", fast()};
  const std::uint8_t value = 5;
  writer.add<std::uint8_t>("value", {}, std::span{&value, 1});
  Writer moved{std::move(writer)};
  Writer other{dir / "b.ckpt", fast()};
  other = std::move(moved);
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, moved.commit());
  other.commit();
  CHECK(names_in(dir.path()) == std::vector<std::string>{"a.ckpt"});
  CHECK(read_small(dir / "a.ckpt") == 5);
}

TEST_CASE("a committed file is found under its name alone, and can be replaced") {
  const TempDir dir;
  const auto path = dir / "a.ckpt";
  for (std::uint8_t value = 1; value < 4; ++value) {
    write_small(path, value);
    CHECK(names_in(dir.path()) == std::vector<std::string>{"a.ckpt"});
    CHECK(read_small(path) == value);
  }
}

TEST_CASE("replace = false leaves an existing file alone") {
  const TempDir dir;
  const auto path = dir / "a.ckpt";
  write_small(path, 1);
  WriterOptions options = fast();
  options.replace = false;
  CKPT_REQUIRE_ERROR(error, ErrorCode::already_exists, [&] {
    Writer writer{path, options};
    const std::uint8_t value = 2;
    writer.add<std::uint8_t>("value", {}, std::span{&value, 1});
    writer.commit();
  }());
  CHECK(contains(error.what(), path.native()));
  CHECK(names_in(dir.path()) == std::vector<std::string>{"a.ckpt"});
  CHECK(read_small(path) == 1);

  // A name that is taken while the Writer is at work.
  Writer late{dir / "b.ckpt", options};
  write_small(dir / "b.ckpt", 7);
  CKPT_CHECK_CODE(ErrorCode::already_exists, late.commit());
  CHECK(names_in(dir.path()) == std::vector<std::string>{"a.ckpt", "b.ckpt"});
  CHECK(read_small(dir / "b.ckpt") == 7);
}

TEST_CASE("two Writers of one path do not disturb each other") {
  const TempDir dir;
  const auto path = dir / "a.ckpt";
  Writer one{path, fast()};
  Writer two{path, fast()};
  const std::uint8_t first = 1;
  const std::uint8_t second = 2;
  one.add<std::uint8_t>("value", {}, std::span{&first, 1});
  two.add<std::uint8_t>("value", {}, std::span{&second, 1});
  two.commit();
  CHECK(read_small(path) == 2);
  one.commit();
  CHECK(read_small(path) == 1);
  CHECK(names_in(dir.path()) == std::vector<std::string>{"a.ckpt"});
}

TEST_CASE("a path that is being read can be saved to") {
  const TempDir dir;
  const auto path = dir / "a.ckpt";
  write_sample(path);
  const Reader reader = Reader::open(path, {.mode = ReadMode::mmap});
  const TensorView view = reader.tensor("all/f32");
  const Bytes before = to_vector(view.bytes());
  {
    Writer writer{path, fast()};  // the new file is made from the tensors of the old one
    for (std::size_t i = 0; i < reader.size(); ++i) {
      const TensorInfo info = reader.info(i);
      const TensorView tensor = reader.tensor(i);
      if (info.dtype == DType::u8 || info.dtype == DType::f32) {
        writer.add(info.path, info.dtype, info.shape, tensor.bytes());
      }
    }
    writer.commit();
  }
  CHECK(to_vector(view.bytes()) == before);
  CHECK(reader.verify().ok());
  const Reader fresh = Reader::open(path, {.verify = Verify::full});
  CHECK(fresh.size() < reader.size());
  const TensorView copied = fresh.tensor("all/f32");
  CHECK(to_vector(copied.bytes()) == before);
}

TEST_CASE("after an error the Writer refuses everything, and nothing remains") {
  const TempDir dir;
  const auto path = dir / "a.ckpt";
  write_small(path, 1);
  const Bytes data = random_bytes(8, 1);
  const auto spoil = [&](const auto& mistake) {
    Writer writer{path, fast()};
    writer.add("x", DType::u8, {8}, data);
    CHECK(code_of([&] { mistake(writer); }).has_value());
    CHECK(names_in(dir.path()) == std::vector<std::string>{"a.ckpt"});
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, writer.add("y", DType::u8, {8}, data));
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, writer.begin("y", DType::u8, {8}));
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, writer.append(data));
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, writer.end());
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, writer.alias("y", "x"));
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, writer.commit());
  };
  spoil([&](Writer& writer) { writer.add("x", DType::u8, {8}, data); });
  spoil([&](Writer& writer) { writer.add("y", DType::u8, {9}, data); });
  spoil([&](Writer& writer) { writer.alias("y", "z"); });
  spoil([&](Writer& writer) { writer.append(data); });
  spoil([&](Writer& writer) { writer.end(); });
  spoil([&](Writer& writer) {
    writer.begin("y", DType::u8, {9});
    writer.append(data);
    writer.end();
  });
  spoil([&](Writer& writer) {
    writer.begin("y", DType::u8, {7});
    writer.append(data);
  });
  spoil([&](Writer& writer) {
    writer.begin("y", DType::u8, {8});
    writer.commit();
  });
  spoil([&](Writer& writer) {
    writer.begin("y", DType::u8, {8});
    writer.begin("z", DType::u8, {8});
  });
  CHECK(read_small(path) == 1);
}

TEST_CASE("a committed Writer takes nothing more") {
  const TempDir dir;
  Writer writer{dir / "a.ckpt", fast()};
  writer.commit();
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, writer.commit());
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, writer.add("y", DType::u8, {0}, {}));
  CHECK(names_in(dir.path()) == std::vector<std::string>{"a.ckpt"});
  CHECK(Reader::open(dir / "a.ckpt").size() == 0);
}

TEST_CASE("arguments are checked") {
  const TempDir dir;
  const Bytes data = random_bytes(64, 1);
  const auto attempt = [&](const auto& call) {
    Writer writer{dir / "a.ckpt", fast()};
    writer.add("taken", DType::u8, {64}, data);
    return code_of([&] { call(writer); });
  };
  const std::string longest(kMaxPathBytes, 'n');
  CHECK(attempt([&](Writer& w) { w.add(longest, DType::u8, {64}, data); }) == std::nullopt);
  for (const std::string& path :
       {std::string{}, std::string{"/a"}, std::string{"a/"}, std::string{"a//b"}, std::string{"."}, std::string{"a/.."},
        std::string{"a\nb"}, std::string{"a\0b", 3}, std::string{"a\x7f"}, std::string{"\xff"}, std::string{"\xc0\xaf"},
        std::string{"a\xc2\x85"}}) {
    INFO(path);
    CHECK(attempt([&](Writer& w) { w.add(path, DType::u8, {64}, data); }) == ErrorCode::invalid_argument);
    CHECK(attempt([&](Writer& w) { w.alias(path, "taken"); }) == ErrorCode::invalid_argument);
  }
  const auto too_long = attempt([&](Writer& w) { w.add(longest + "n", DType::u8, {64}, data); });
  CHECK((too_long == ErrorCode::limit || too_long == ErrorCode::invalid_argument));
  CHECK(attempt([&](Writer& w) { w.add("taken", DType::u8, {64}, data); }) == ErrorCode::already_exists);
  CHECK(attempt([&](Writer& w) { w.alias("taken", "taken"); }) == ErrorCode::already_exists);
  CHECK(attempt([&](Writer& w) { w.alias("b", "absent"); }) == ErrorCode::not_found);
  CHECK(attempt([&](Writer& w) { w.add("b", DType::f32, {64}, data); }) == ErrorCode::invalid_argument);
  CHECK(attempt([&](Writer& w) { w.add("b", DType::block, {64}, data); }) == ErrorCode::invalid_argument);
  CHECK(attempt([&](Writer& w) { w.add("b", DType::u8, {64}, data, {.block = BlockType{"Q", 1, 1}}); }) ==
        ErrorCode::invalid_argument);
  CHECK(attempt([&](Writer& w) { w.add("b", DType::block, {33}, data, {.block = BlockType{"Q4_0", 18, 32}}); }) ==
        ErrorCode::invalid_argument);
  CHECK(attempt([&](Writer& w) { w.add("b", DType::block, {32}, data, {.block = BlockType{"Q4_0", 0, 32}}); }) ==
        ErrorCode::invalid_argument);
  CHECK(attempt([&](Writer& w) { w.add("b", DType::block, {32}, data, {.block = BlockType{"Q4_0", 18, 0}}); }) ==
        ErrorCode::invalid_argument);
  for (const std::string& name : {std::string{}, std::string{"Q\n"}, longest + "n"}) {
    CHECK(attempt([&](Writer& w) { w.begin("b", DType::block, {32}, {.block = BlockType{name, 18, 32}}); }) ==
          ErrorCode::invalid_argument);
  }
  CHECK(attempt([&](Writer& w) { w.add("b", DType{}, {64}, data); }) == ErrorCode::invalid_argument);
  CHECK(attempt([&](Writer& w) { w.begin("b", DType::u8, {64}, {.compression = static_cast<Compression>(9)}); }) ==
        ErrorCode::invalid_argument);
  CHECK(attempt([&](Writer& w) { w.begin("b", DType::u8, {64}, {}, 63); }) == ErrorCode::invalid_argument);
  CHECK(attempt([&](Writer& w) { w.begin("b", DType::string, {1}); }) == ErrorCode::invalid_argument);
  CHECK(attempt([&](Writer& w) { w.set_metadata("ckpt.step", std::int64_t{1}); }) == ErrorCode::invalid_argument);
  CHECK(attempt([&](Writer& w) { w.set_metadata("", std::int64_t{1}); }) == ErrorCode::invalid_argument);
  CHECK(attempt([&](Writer& w) { w.set_metadata("a\nb", std::int64_t{1}); }) == ErrorCode::invalid_argument);
  CHECK(attempt([&](Writer& w) { w.set_metadata("a", std::string{"\xff"}); }) == ErrorCode::invalid_argument);
  CHECK(attempt([&](Writer& w) { w.set_metadata("a", Json{"\"\xff\""}); }) == ErrorCode::invalid_argument);
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  const auto overflow = attempt([&](Writer& w) { w.begin("b", DType::f64, {huge}); });
  CHECK((overflow == ErrorCode::limit || overflow == ErrorCode::invalid_argument));
  CHECK(names_in(dir.path()).empty());
}

TEST_CASE("options are checked before a file is made") {
  const TempDir dir;
  const auto refused = [&](const auto& change) {
    WriterOptions options = fast();
    change(options);
    const auto code = code_of([&] { const Writer writer(dir / "a.ckpt", options); });
    CHECK(names_in(dir.path()).empty());
    return code == ErrorCode::invalid_argument || code == ErrorCode::limit;
  };
  for (const std::uint32_t bad : {0U, 13U, 32U, 3000U, 4U << 20U, 0x80000000U}) {
    CHECK(refused([&](WriterOptions& o) { o.small_alignment = bad; }));
    CHECK(refused([&](WriterOptions& o) { o.large_alignment = bad; }));
  }
  for (const std::uint32_t bad : {0U, 4096U, 100'000U, 32U << 20U}) {
    CHECK(refused([&](WriterOptions& o) { o.chunk_bytes = bad; }));
  }
  CHECK(refused([&](WriterOptions& o) { o.compression_level = 23; }));
  CHECK(refused([&](WriterOptions& o) { o.compression = static_cast<Compression>(9); }));
  for (const std::string& name : {std::string{}, std::string{"a\nb"}, std::string(kMaxPathBytes, 'n')}) {
    CHECK(refused([&](WriterOptions& o) { o.metrics = {{name, 1.0}}; }));
  }
}

TEST_CASE("metadata and names of metrics have a limit, which the error names") {
  const TempDir dir;
  constexpr std::size_t kMost = kMaxMetadataBytes - kMaxPathBytes;
  Writer writer{dir / "a.ckpt", fast()};
  writer.set_metadata("k", Bytes(kMost / 2));
  writer.set_metadata("k", Bytes(kMost - 100));  // the other one counts no more
  CKPT_REQUIRE_ERROR(error, ErrorCode::limit, writer.set_metadata("more", Bytes(100)));
  CHECK(contains(error.what(), "kMaxMetadataBytes"));
  WriterOptions options = fast();
  for (std::size_t i = 0; i <= kMaxMetadataBytes / 2 / 4000; ++i) {
    options.metrics.push_back({std::to_string(i) + std::string(4000, 'n'), 1.0});
  }
  CKPT_REQUIRE_ERROR(too_many, ErrorCode::limit, Writer(dir / "b.ckpt", options));
  CHECK(contains(too_many.what(), "32 MiB"));
}

TEST_CASE("a bad option is named, with its value and what may be there") {
  const TempDir dir;
  const auto said = [&](const auto& change) {
    WriterOptions options = fast();
    change(options);
    CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, Writer(dir / "a.ckpt", options));
    return std::string{error.what()};
  };
  CHECK(contains(said([](WriterOptions& o) { o.small_alignment = 13; }),
                 "bad small_alignment, expected a power of two from 64 (kMinAlignment) to 2 MiB (kMaxAlignment), found "
                 "13; set it in WriterOptions"));
  CHECK(contains(said([](WriterOptions& o) { o.large_alignment = 3000; }), "bad large_alignment, expected"));
  CHECK(contains(said([](WriterOptions& o) { o.small_alignment = 1U << 20U; }),
                 "small_alignment exceeds large_alignment, expected at most"));
  CHECK(contains(said([](WriterOptions& o) { o.chunk_bytes = 4096; }), "bad chunk_bytes, expected a power of two"));
}

TEST_CASE("graphs that do not fit are refused") {
  const TempDir dir;
  const auto attempt = [&](const auto& change) {
    Writer writer{dir / "a.ckpt", fast()};
    writer.add("w", DType::u8, {1}, random_bytes(1, 1));
    writer.add("w/m", DType::u8, {1}, random_bytes(1, 1));
    ObjectGraph graph = sample_graph();
    change(graph);
    return code_of([&] {
      writer.set_graph(std::move(graph));
      writer.commit();
    });
  };
  CHECK(attempt([](ObjectGraph&) {}) == std::nullopt);
  std::filesystem::remove(dir / "a.ckpt");
  const std::optional<ErrorCode> bad{ErrorCode::invalid_argument};
  CHECK(attempt([](ObjectGraph& g) { g.nodes[0].edges[0].node = 4; }) == bad);
  CHECK(attempt([](ObjectGraph& g) { g.nodes[0].edges[1].name = "model"; }) == bad);
  CHECK(attempt([](ObjectGraph& g) { g.nodes[0].edges[0].name = "a/b"; }) == bad);
  CHECK(attempt([](ObjectGraph& g) { g.nodes[2].tensor = "absent"; }) == bad);
  CHECK(attempt([](ObjectGraph& g) { g.nodes[2].tensor = "w/m"; }) == bad);
  CHECK(attempt([](ObjectGraph& g) { g.slots[0].name = "a/b"; }) == bad);
  CHECK(attempt([](ObjectGraph& g) { g.slots.push_back({1, 2, "m", 0}); }) == bad);
  CHECK(attempt([](ObjectGraph& g) { g.slots[0].owner = 9; }) == bad);
  CHECK(attempt([](ObjectGraph& g) { g.slots[0].variable = 9; }) == bad);
  CHECK(attempt([](ObjectGraph& g) { g.slots[0].node = 9; }) == bad);
  CHECK(names_in(dir.path()).empty());
}

TEST_CASE("expected_bytes is a hint, and may be wrong either way") {
  const TempDir dir;
  const Bytes data = random_bytes(300'000, 8);
  for (const std::uint64_t expected : {std::uint64_t{1}, std::uint64_t{300'000}, std::uint64_t{3'000'000}}) {
    WriterOptions options = fast();
    options.expected_bytes = expected;
    options.uuid = kSampleUuid;
    options.created_ns = 1;
    const auto path = dir / ("hint" + std::to_string(expected));
    Writer writer{path, options};
    writer.add("x", DType::u8, {300'000}, data);
    writer.commit();
    CHECK(Reader::open(path, {.verify = Verify::full}).size() == 1);
  }
  CHECK(read_file(dir / "hint1") == read_file(dir / "hint3000000"));
}

TEST_CASE("expected_bytes that no file can have are refused at once") {
  const TempDir dir;
  WriterOptions options = fast();
  options.expected_bytes = std::uint64_t{1} << 60U;
  if (!allocates_ahead(dir / "probe")) {
    WARN(kSkipped << "this file system does not allocate ahead");
    return;
  }
  CKPT_REQUIRE_ERROR(error, ErrorCode::io, Writer(dir / "a", options));
  CHECK(contains(error.what(), "cannot allocate"));
  CHECK(names_in(dir.path()) == std::vector<std::string>{"probe"});
}

TEST_CASE("packed elements that do not fill whole bytes are refused, with advice") {
  const TempDir dir;
  Writer writer{dir / "a", fast()};
  CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, writer.begin("x", DType::f6_e2m3, {3, 5}));
  CHECK(contains(error.details().problem, "whole bytes"));
  CHECK(contains(error.details().advice, "pad the last dimension"));
}

TEST_CASE("a relative path means the directory of the moment") {
  const TempDir dir;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  write_small("relative.ckpt", 3);
  CHECK(read_small("relative.ckpt") == 3);
  std::filesystem::current_path(before);
  CHECK(names_in(dir.path()) == std::vector<std::string>{"relative.ckpt"});
}
