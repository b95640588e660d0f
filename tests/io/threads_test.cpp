// Threads and processes that read and write at once, as the public headers allow it. ThreadSanitizer judges, too.
#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/child.hpp>
#include <support/errors.hpp>
#include <support/files.hpp>
#include <support/floats.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>
#include <support/together.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

// What every call gives when one thread alone uses a file.
struct Expected {
  explicit Expected(const Reader& reader)
      : metadata{reader.metadata()}, nodes{reader.graph().nodes.size()}, indices(reader.size()) {
    std::iota(indices.begin(), indices.end(), std::size_t{0});
    for (const std::size_t i : indices) {
      paths.emplace_back(reader.info(i).path);
      data.push_back(bytes_of(reader.tensor(i)));
    }
  }

  std::vector<std::string> paths;
  std::vector<Bytes> data;
  Metadata metadata;
  std::size_t nodes;
  std::vector<std::size_t> indices;
};

bool binds(const Reader& reader, const Expected& expected) {
  return std::ranges::all_of(expected.indices, [&](std::size_t i) {
    return reader.find(expected.paths[i]) == i && bytes_of(reader.tensor(i)) == expected.data[i];
  });
}

bool binds_many(const Reader& reader, const Expected& expected) {
  const std::vector<TensorView> views = reader.tensors(expected.indices);
  return std::ranges::equal(views, expected.data,
                            [](const TensorView& view, const Bytes& data) { return bytes_of(view) == data; });
}

bool reads(const Reader& reader, const Expected& expected) {
  std::vector<Bytes> memory;
  std::vector<ReadRequest> requests;
  for (const Bytes& data : expected.data) memory.emplace_back(data.size());
  for (const std::size_t i : expected.indices) requests.push_back({i, memory[i]});
  reader.read_into(requests);
  return memory == expected.data;
}

bool verifies(const Reader& reader, const Expected& expected) {
  for (const std::size_t i : expected.indices) reader.verify_tensor(i);
  return reader.verify({.threads = 2}).ok();
}

bool prefaults(const Reader& reader, const Expected& expected) {
  reader.prefault(expected.indices);
  const Reader copy = reader;
  return copy.metadata() == expected.metadata && copy.size() == expected.data.size();
}

bool lists(const Reader& reader, const Expected& expected) {
  // Reading the graph lets go of the descriptor, which the others may be about to use.
  return reader.graph().nodes.size() == expected.nodes &&
         std::ranges::all_of(expected.indices, [&](std::size_t i) { return reader.info(i).path == expected.paths[i]; });
}

void write_many(const std::filesystem::path& path) {
  Writer writer{path, sample_options()};
  for (int i = 0; i < 600; ++i) writer.add("many/" + std::to_string(i), DType::u8, {3}, random_bytes(3, 3));
  writer.add("z", DType::u8, {3, 65536}, smooth_bytes(3 * 65536, 1), {.compression = Compression::zstd});
  writer.commit();
}

WriterOptions compressing() {
  WriterOptions options;
  options.compression = Compression::zstd;
  options.chunk_bytes = kMinChunkBytes;
  options.threads = 4;
  options.durable = false;
  return options;
}

}  // namespace

TEST_CASE("threads use a Reader that is new in every way at once", "[threads]") {
  const TempDir dir;
  write_sample(dir / "sample.ckpt");
  write_many(dir / "many.ckpt");  // more pages of the index than are read one by one
  const std::array uses{binds, binds_many, reads, verifies, prefaults, lists};
  for (const char* name : {"sample.ckpt", "many.ckpt"}) {
    const Expected expected{Reader::open(dir / name)};
    for (const ReadMode mode : {ReadMode::mmap, ReadMode::read}) {
      for (int round = 0; round < 4; ++round) {
        std::optional<Reader> reader{Reader::open(dir / name, {.mode = mode, .verify = Verify::lazy, .threads = 2})};
        const std::string wrong = together(uses.size(), [&, copy = *reader](std::size_t i) -> std::string {
          return uses[i](copy, expected) ? "" : "use " + std::to_string(i) + " gave something else";
        });
        reader.reset();
        CHECK(wrong == "");
      }
    }
  }
}

TEST_CASE("threads touch the index of a new Reader at once", "[threads]") {
  const TempDir dir;
  write_many(dir / "many.ckpt");
  const Expected expected{Reader::open(dir / "many.ckpt")};
  for (int round = 0; round < 200; ++round) {
    const Reader reader = Reader::open(dir / "many.ckpt", {.mode = ReadMode::mmap});
    const std::string wrong = together(4, [&](std::size_t thread) -> std::string {
      for (std::size_t step = 0; step < reader.size(); step += 40) {  // about a page of the index each
        const std::size_t i = (step + thread * 150) % reader.size();
        if (reader.info(i).path != expected.paths[i]) return "another path";
      }
      return {};
    });
    REQUIRE(wrong == "");
  }
}

TEST_CASE("eight writers in one directory", "[threads]") {
  constexpr std::size_t kWriters = 8;
  constexpr int kRounds = 6;
  constexpr std::int64_t kBytes = 50'000;
  const TempDir dir;
  const auto write = [&](const std::string& name, std::uint8_t value, bool replace) {
    const std::vector<std::uint8_t> data(kBytes, value);
    Writer writer{dir / name, {.durable = false, .replace = replace}};
    writer.add<std::uint8_t>("w", {kBytes}, data);
    writer.commit();
  };
  const auto is_whole = [&](const std::string& name) {
    const TensorView view = Reader::open(dir / name, {.verify = Verify::full}).tensor("w");
    const auto values = view.as<std::uint8_t>();
    return std::ranges::count(values, values[0]) == kBytes;
  };
  write("same.ckpt", 0, true);
  std::atomic<std::size_t> firsts = 0;
  const std::string wrong = together(kWriters, [&](std::size_t i) -> std::string {
    for (int round = 0; round < kRounds; ++round) {
      write("own-" + std::to_string(i) + ".ckpt", static_cast<std::uint8_t>(i), true);
      write("same.ckpt", static_cast<std::uint8_t>(i), true);
      if (!is_whole("same.ckpt")) return "the file that all replace is a mixture";
    }
    const auto code = code_of([&] { write("once.ckpt", static_cast<std::uint8_t>(i), false); });
    if (!code) ++firsts;
    return !code || code == ErrorCode::already_exists ? "" : "another error than already_exists";
  });
  CHECK(wrong == "");
  CHECK(firsts == 1);
  CHECK(is_whole("once.ckpt"));
  for (std::size_t i = 0; i < kWriters; ++i) CHECK(is_whole("own-" + std::to_string(i) + ".ckpt"));
  CHECK(temporaries_in(dir.path()) == 0);
  CHECK(names_in(dir.path()).size() == kWriters + 2);
}

TEST_CASE("a forked process uses the Reader and the views of its parent", "[fork]") {
  const TempDir dir;
  write_many(dir / "many.ckpt");
  for (const ReadMode mode : {ReadMode::mmap, ReadMode::read}) {
    std::optional<Reader> reader{Reader::open(dir / "many.ckpt", {.mode = mode, .verify = Verify::lazy})};
    const Expected expected{Reader::open(dir / "many.ckpt")};
    TensorView view = reader->tensor("z");
    const ChildResult result = run_child([&]() -> std::string {
      if (!binds(*reader, expected) || !reads(*reader, expected) || !verifies(*reader, expected)) return "other values";
      reader.reset();
      return bytes_of(view) == expected.data.back() ? "" : "another view";
    });
    CHECK(result.text == "");
    // The child's end closes nothing of the parent's.
    CHECK(binds(*reader, expected));
    CHECK(lists(*reader, expected));
  }
}

TEST_CASE("a forked process leaves the Writer of its parent alone", "[fork]") {
  const TempDir dir;
  for (const std::size_t size : {std::size_t{100}, std::size_t{9} << 20U}) {
    const Bytes data = random_bytes(size, 1);
    const Shape shape{static_cast<std::int64_t>(size)};
    std::optional<Writer> writer{std::in_place, dir / "model.ckpt"};
    writer->add("a", DType::u8, shape, data);
    const ChildResult result = run_child([&]() -> std::string {
      for (const std::function<void()>& call : std::initializer_list<std::function<void()>>{
               [&] { writer->add("b", DType::u8, shape, data); }, [&] { writer->commit(); }}) {
        if (code_of(call) != std::optional{ErrorCode::invalid_argument}) return "it may be used";
      }
      writer.reset();
      return {};
    });
    CHECK(result.text == "");
    writer->commit();
    CHECK(names_in(dir.path()).size() == 1);
    CHECK(Reader::open(dir / "model.ckpt").verify().ok());
  }
}

TEST_CASE("a forked process drops a Writer that is done", "[fork]") {
  const TempDir dir;
  const Bytes data = normal_floats(1'000'000, 1);
  for (const bool fails : {false, true}) {
    std::optional<Writer> writer{std::in_place, dir / "model.ckpt", compressing()};
    for (const char* path : {"a", "b", "c"}) writer->add(path, DType::f32, {250'000}, data);
    if (fails) {
      CKPT_CHECK_CODE(ErrorCode::not_found, writer->alias("d", "nowhere"));
    } else {
      writer->commit();
    }
    const ChildResult result = run_child([&]() -> std::string {
      writer.reset();
      return {};
    });
    CHECK(result.text == "");
  }
}

TEST_CASE("a forked process leaves the Writer of its parent alone, also while that compresses", "[fork]") {
  const TempDir dir;
  const Bytes data = normal_floats(std::size_t{4} << 20U, 1);
  const Shape shape{static_cast<std::int64_t>(data.size() / 4)};
  std::optional<Writer> writer{std::in_place, dir / "model.ckpt", compressing()};
  constexpr int kTensors = 12;
  for (int i = 0; i < kTensors; ++i) {
    for (int part = 0; part < 8; ++part) {  // which wait to be compressed
      writer->add(std::to_string(i) + "/" + std::to_string(part), DType::f32, {1000}, std::span{data}.first(4000));
    }
    const ChildResult result = run_child([&]() -> std::string {
      const auto code = code_of([&] { writer->add("b", DType::f32, shape, data); });
      if (code != std::optional{ErrorCode::invalid_argument}) return "it may be used";
      writer.reset();
      return {};
    });
    CHECK(result.text == "");
    writer->add(std::to_string(i) + "/all", DType::f32, shape, data);
  }
  writer->commit();
  CHECK(names_in(dir.path()).size() == 1);
  const Reader reader = Reader::open(dir / "model.ckpt", {.verify = Verify::full});
  CHECK(reader.size() == kTensors * 9);
  for (int i = 0; i < kTensors; ++i) CHECK(bytes_of(reader.tensor(std::to_string(i) + "/all")) == data);
}
