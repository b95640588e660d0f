// What a Writer wrote, a Reader gives back, in every mode.
#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/errors.hpp>
#include <support/files.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <complex>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

const std::vector<ReadMode> kModes{ReadMode::automatic, ReadMode::mmap, ReadMode::read};
const std::vector<Verify> kVerify{Verify::none, Verify::lazy, Verify::full};

WriterOptions fast() {
  WriterOptions options;
  options.durable = false;
  return options;
}

}  // namespace

TEST_CASE("every dtype comes back in every mode") {
  const TempDir dir;
  const auto path = dir / "sample.ckpt";
  write_sample(path);
  for (const ReadMode mode : kModes) {
    for (const Verify verify : kVerify) {
      const Reader reader = Reader::open(path, {.mode = mode, .verify = verify});
      REQUIRE(reader.size() == all_dtypes().size() + 7);
      for (const DType dtype : all_dtypes()) {
        if (dtype >= DType::string) continue;
        const std::string name = "all/" + std::string{to_string(dtype)};
        INFO(name);
        const TensorView view = reader.tensor(name);
        CHECK(view.dtype() == dtype);
        CHECK(view.shape() == Shape{8});
        CHECK(to_vector(view.bytes()) == sample_bytes(dtype));
      }
      CHECK(reader.tensor("all/string").strings() == std::vector<std::string>{"alpha", "", "\xce\xb2"});
      CHECK(reader.tensor("all/bytes").strings() == std::vector<std::string>{"alpha", "", "\xce\xb2"});
      CHECK(bytes_of(reader.tensor("all/block")) == random_bytes(36, 28));
      CHECK(bytes_of(reader.tensor("squeezed")) == smooth_bytes(3 * 65536, 1));
      CHECK(bytes_of(reader.tensor("empty")).empty());
      CHECK(reader.tensor("empty").shape() == Shape{2, 0, 3});
      CHECK(reader.tensor("scalar").shape().rank() == 0);
      CHECK(reader.verify().ok());
    }
  }
}

TEST_CASE("typed views give elements and refuse another type") {
  const TempDir dir;
  const auto path = dir / "typed.ckpt";
  const std::vector<float> kernel{1.0F, -0.0F, std::numeric_limits<float>::quiet_NaN(), 4.0F};
  const std::vector<std::complex<double>> waves{{1, 2}, {3, 4}};
  Writer writer{path, fast()};
  writer.add<float>("kernel", {2, 2}, kernel);
  writer.add<std::complex<double>>("waves", {2}, waves);
  writer.commit();
  const Reader reader = Reader::open(path);
  const TensorView view = reader.tensor("kernel");
  const auto values = view.as<float>();
  REQUIRE(values.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(std::bit_cast<std::uint32_t>(values[i]) == std::bit_cast<std::uint32_t>(kernel[i]));
  }
  const TensorView complex_view = reader.tensor("waves");
  CHECK(complex_view.as<std::complex<double>>()[1] == std::complex<double>{3, 4});
  CKPT_REQUIRE_ERROR(error, ErrorCode::mismatch, view.as<std::int32_t>());
  CHECK(contains(error.what(), "f32"));
  CHECK(contains(error.what(), "i32"));
  CKPT_CHECK_CODE(ErrorCode::mismatch, view.strings());
}

TEST_CASE("every rank up to the limit, and empty dimensions") {
  const TempDir dir;
  const auto path = dir / "shapes.ckpt";
  std::vector<std::pair<std::string, Shape>> shapes;
  std::vector<std::int64_t> dims;
  for (std::size_t rank = 0; rank <= kMaxRank; ++rank) {
    shapes.emplace_back("rank" + std::to_string(rank), Shape{std::span<const std::int64_t>{dims}});
    dims.push_back(rank % 2 == 0 ? 2 : 1);
  }
  shapes.emplace_back("zero", Shape{0});
  shapes.emplace_back("zeros", Shape{0, 5, 0});
  shapes.emplace_back("wide", Shape{1, std::numeric_limits<std::int64_t>::max(), 0});
  {
    Writer writer{path, fast()};
    for (const auto& [name, shape] : shapes) {
      writer.add(name, DType::i16, shape, tensor_bytes(DType::i16, shape.elements(), shape.rank()));
    }
    writer.commit();
  }
  const Reader reader = Reader::open(path);
  for (const auto& [name, shape] : shapes) {
    INFO(name);
    const TensorView view = reader.tensor(name);
    CHECK(view.shape() == shape);
    CHECK(to_vector(view.bytes()) == tensor_bytes(DType::i16, shape.elements(), shape.rank()));
  }
  CHECK(reader.verify().ok());
}

TEST_CASE("info says what was written, in bytewise order of paths") {
  const TempDir dir;
  const auto path = dir / "order.ckpt";
  {
    Writer writer{path, fast()};
    for (const char* name : {"b", "a/z", "a", "\xc3\xa4", "a-b", "a/b", "B"}) {
      writer.add(name, DType::u8, {3}, random_bytes(3, 5));
    }
    writer.commit();
  }
  const Reader reader = Reader::open(path);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < reader.size(); ++i) {
    const TensorInfo info = reader.info(i);
    names.emplace_back(info.path);
    CHECK(info.dtype == DType::u8);
    CHECK(info.size_bytes == 3);
    CHECK(info.stored_bytes == 3);
    CHECK(info.chunks == 1);
    CHECK_FALSE(info.alias_of);
    CHECK_FALSE(info.block);
    CHECK(reader.find(info.path) == i);
  }
  CHECK(names == std::vector<std::string>{"B", "a", "a-b", "a/b", "a/z", "b", "\xc3\xa4"});
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, reader.info(reader.size()));
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, reader.tensor(reader.size()));
}

TEST_CASE("file() describes the file as a whole") {
  const TempDir dir;
  const auto path = dir / "sample.ckpt";
  write_sample(path);
  const FileInfo info = Reader::open(path, {.mode = ReadMode::mmap}).file();
  CHECK(info.major == 1);
  CHECK(info.minor == 0);
  CHECK(info.uuid == kSampleUuid);
  CHECK(to_string(info.uuid) == "01234567-89ab-4cdf-8011-223344556677");
  CHECK(info.required_features == 1);
  CHECK(info.optional_features == 1);
  CHECK(info.file_size == std::filesystem::file_size(path));
  CHECK(info.index_offset % 64 == 0);
  CHECK(info.index_size % 8 == 0);
  CHECK(info.index_offset + info.index_size + info.sums_size + 64 == info.file_size);
  CHECK(info.chunk_bytes == kMinChunkBytes);
  CHECK(info.small_alignment == 64);
  CHECK(info.large_alignment == 1024);
  CHECK(info.mode == ReadMode::mmap);
  CHECK(Reader::open(path, {.mode = ReadMode::read}).file().mode == ReadMode::read);
  CHECK(Reader::open(path).file().mode != ReadMode::automatic);
}

TEST_CASE("an empty checkpoint is a checkpoint") {
  const TempDir dir;
  const auto path = dir / "empty.ckpt";
  Writer{path, fast()}.commit();
  for (const ReadMode mode : kModes) {
    const Reader reader = Reader::open(path, {.mode = mode, .verify = Verify::full});
    CHECK(reader.size() == 0);
    CHECK_FALSE(reader.contains("a"));
    CHECK(reader.graph().nodes.empty());
    CHECK(reader.verify().ok());
    CKPT_REQUIRE_ERROR(error, ErrorCode::not_found, reader.tensor("a"));
    CHECK(error.details().advice == "the file has no tensors");
  }
}

TEST_CASE("aliases share one blob") {
  const TempDir dir;
  const auto path = dir / "tied.ckpt";
  const Bytes data = random_bytes(10000, 3);
  {
    Writer writer{path, fast()};
    writer.add("decoder/weight", DType::u8, {100, 100}, data);
    writer.alias("embedding/weight", "decoder/weight");
    writer.alias("third", "embedding/weight");
    writer.commit();
  }
  CHECK(std::filesystem::file_size(path) < 2 * data.size());
  const Reader reader = Reader::open(path, {.mode = ReadMode::mmap});
  const TensorView owner = reader.tensor("decoder/weight");
  for (const char* name : {"embedding/weight", "third"}) {
    const TensorView alias = reader.tensor(name);
    CHECK(alias.bytes().data() == owner.bytes().data());
    CHECK(alias.bytes().size() == data.size());
    CHECK(alias.shape() == Shape{100, 100});
    const TensorInfo info = reader.info(*reader.find(name));
    REQUIRE(info.alias_of);
    CHECK(reader.info(*info.alias_of).path == "decoder/weight");
  }
  CHECK(reader.verify().tensors == 3);
  CHECK(reader.verify().ok());
  // All at once they are read once.
  const std::vector<std::size_t> all{2, 0, 1, 0};
  const std::vector<TensorView> read = Reader::open(path, {.mode = ReadMode::read}).tensors(all);
  for (const TensorView& view : read) {
    CHECK(view.bytes().data() == read.front().bytes().data());
    CHECK(to_vector(view.bytes()) == data);
  }
}

TEST_CASE("metadata of every type") {
  const TempDir dir;
  const auto path = dir / "meta.ckpt";
  const Metadata wanted{
      {"bytes", Bytes{std::byte{0}, std::byte{0xff}, std::byte{10}}},
      {"empty", std::string{}},
      {"float", -0.1},
      {"infinity", std::numeric_limits<double>::infinity()},
      {"int", std::numeric_limits<std::int64_t>::min()},
      {"json", Json{"{\"lr\": [0.1, null]}"}},
      {"text with spaces \xf0\x9f\x90\xbb", std::string{"line\nline \xc3\xa9"}},
  };
  WriterOptions options = fast();
  options.step = 7;
  options.created_ns = 12345;
  Writer writer{path, options};
  writer.set_metadata("int", std::int64_t{1});
  for (const auto& [key, value] : wanted) writer.set_metadata(key, value);
  writer.commit();
  for (const ReadMode mode : kModes) {
    Metadata found = Reader::open(path, {.mode = mode}).metadata();
    CHECK(std::get<std::int64_t>(found.at("ckpt.step")) == 7);
    CHECK(std::get<std::int64_t>(found.at("ckpt.created")) == 12345);
    CHECK_FALSE(std::get<std::string>(found.at("ckpt.writer")).empty());
    std::erase_if(found, [](const auto& entry) { return entry.first.starts_with("ckpt."); });
    CHECK(found == wanted);
  }
}

TEST_CASE("metrics are recorded under keys of their own") {
  const TempDir dir;
  WriterOptions options = fast();
  options.metrics = {{"loss", 1.0}, {"val/accuracy", 0.5}, {"loss", 0.25}};
  Writer{dir / "a.ckpt", options}.commit();
  const Metadata found = Reader::open(dir / "a.ckpt").metadata();
  CHECK(std::get<double>(found.at("ckpt.metric.loss")) == 0.25);
  CHECK(std::get<double>(found.at("ckpt.metric.val/accuracy")) == 0.5);
  for (const char* name : {"", "a\nb", "\xff"}) {
    options.metrics = {{name, 1.0}};
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, Writer(dir / "b.ckpt", options));
  }
}

TEST_CASE("the creation time is the present unless it is given") {
  const TempDir dir;
  const auto now = [] {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  const std::int64_t before = now();
  Writer{dir / "a.ckpt", fast()}.commit();
  const std::int64_t created = std::get<std::int64_t>(Reader::open(dir / "a.ckpt").metadata().at("ckpt.created"));
  CHECK(created >= before);
  CHECK(created <= now());
  CHECK_FALSE(Reader::open(dir / "a.ckpt").metadata().contains("ckpt.step"));
}

TEST_CASE("the object graph comes back, and paths are found along it") {
  const TempDir dir;
  const auto path = dir / "sample.ckpt";
  write_sample(path);
  for (const ReadMode mode : kModes) {
    const Reader reader = Reader::open(path, {.mode = mode});
    const ObjectGraph graph = reader.graph();
    const ObjectGraph wanted = sample_graph();
    REQUIRE(graph.nodes.size() == wanted.nodes.size());
    for (std::size_t i = 0; i < wanted.nodes.size(); ++i) {
      CHECK(graph.nodes[i].tensor == wanted.nodes[i].tensor);
      REQUIRE(graph.nodes[i].edges.size() == wanted.nodes[i].edges.size());
      for (std::size_t k = 0; k < wanted.nodes[i].edges.size(); ++k) {
        CHECK(graph.nodes[i].edges[k].name == wanted.nodes[i].edges[k].name);
        CHECK(graph.nodes[i].edges[k].node == wanted.nodes[i].edges[k].node);
      }
    }
    REQUIRE(graph.slots.size() == 1);
    CHECK(graph.slots[0].owner == 1);
    CHECK(graph.slots[0].variable == 2);
    CHECK(graph.slots[0].name == "m");
    CHECK(graph.slots[0].node == 3);

    const auto owner = reader.find("w");
    REQUIRE(owner);
    CHECK(reader.find("model/kernel") == owner);
    CHECK(reader.find("shared") == owner);
    CHECK(reader.find("optimizer") == reader.find("w/m"));
    CHECK(reader.find("optimizer/m/m/m/m") == reader.find("w/m"));
    CHECK_FALSE(reader.find("model"));
    CHECK_FALSE(reader.find("model/kernel/x"));
    CHECK_FALSE(reader.find(""));
    CHECK(bytes_of(reader.tensor("model/kernel")).size() == 6);
  }
}

TEST_CASE("a tensor that is not there is named, and so is the nearest") {
  const TempDir dir;
  const auto path = dir / "near.ckpt";
  Writer writer{path, fast()};
  writer.add("net/l1/kernel", DType::u8, {1}, random_bytes(1, 1));
  writer.add("net/l1/bias", DType::u8, {1}, random_bytes(1, 1));
  writer.add("step", DType::u8, {1}, random_bytes(1, 1));
  writer.commit();
  const Reader reader = Reader::open(path);
  CKPT_REQUIRE_ERROR(error, ErrorCode::not_found, reader.tensor("net/l1/kernal"));
  CHECK(error.details().file == path);
  CHECK(error.details().object == "net/l1/kernal");
  CHECK(contains(error.what(), "net/l1/kernel"));
  CHECK(contains(error.what(), path.native()));
  for (const char* typo : {"kernel", "l1/kernel", "net.l1.kernel", "model/l1/kernel", "net/l1/kernel/"}) {
    CKPT_REQUIRE_ERROR(other, ErrorCode::not_found, reader.tensor(typo));
    CHECK(contains(other.details().advice, "\"net/l1/kernel\""));
  }
}

TEST_CASE("many tensors at once are the same as one by one") {
  const TempDir dir;
  const auto path = dir / "sample.ckpt";
  write_sample(path);
  const auto [mode, verify, threads] = GENERATE(table<ReadMode, Verify, unsigned>({
      {ReadMode::mmap, Verify::none, 0},
      {ReadMode::mmap, Verify::lazy, 8},
      {ReadMode::mmap, Verify::full, 1},
      {ReadMode::read, Verify::none, 3},
      {ReadMode::read, Verify::lazy, 0},
  }));
  const Reader reader = Reader::open(path, {.mode = mode, .verify = verify, .threads = threads});
  std::vector<std::size_t> indices;
  std::vector<Bytes> memory;
  for (std::size_t i = reader.size(); i-- > 0;) {
    indices.push_back(i);
    memory.emplace_back(reader.info(i).size_bytes, std::byte{0xcc});
  }
  std::vector<ReadRequest> requests;
  for (std::size_t i = 0; i < indices.size(); ++i) requests.push_back({indices[i], memory[i]});
  const std::vector<TensorView> views = reader.tensors(indices);
  reader.read_into(requests);
  REQUIRE(views.size() == indices.size());
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const TensorView one = reader.tensor(indices[i]);
    CHECK(views[i].dtype() == one.dtype());
    CHECK(views[i].shape() == one.shape());
    CHECK(to_vector(views[i].bytes()) == to_vector(one.bytes()));
    CHECK(memory[i] == to_vector(one.bytes()));
  }
  CHECK(reader.tensors({}).empty());
  indices.push_back(reader.size());
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, reader.tensors(indices));
  Bytes more(requests[0].destination.size() + 1);
  requests[0].destination = more;
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, reader.read_into(requests));
}

TEST_CASE("damage is found by whichever thread meets it") {
  const TempDir dir;
  const auto path = dir / "large.ckpt";
  const Bytes data(std::size_t{20} << 20U, std::byte{7});
  {
    Writer writer{path, {.durable = false}};
    writer.add("a", DType::u8, {static_cast<std::int64_t>(data.size())}, data);
    writer.add("b", DType::u8, {static_cast<std::int64_t>(data.size())}, data);
    writer.commit();
  }
  Bytes file = read_file(path);
  const Reader good = Reader::open(path);
  file[good.info(1).offset + (std::size_t{13} << 20U)] ^= std::byte{1};
  write_file(path, file);
  for (const ReadMode mode : kModes) {
    const Reader reader = Reader::open(path, {.mode = mode, .verify = Verify::lazy, .threads = 4});
    Bytes memory(2 * data.size());
    const std::array<std::size_t, 2> indices{0, 1};
    const std::array<ReadRequest, 2> requests{
        {{0, std::span{memory}.first(data.size())}, {1, std::span{memory}.last(data.size())}}};
    CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, reader.read_into(requests));
    CHECK(error.details().object == "b");
    CHECK(contains(error.what(), "chunk 14 of 20"));
    CKPT_CHECK_CODE(ErrorCode::corrupt, reader.tensors(indices));
    CKPT_CHECK_CODE(ErrorCode::corrupt, reader.verify_tensor(1));
    reader.verify_tensor(0);
  }
}

TEST_CASE("read_into fills the caller's memory and takes no other size") {
  const TempDir dir;
  const auto path = dir / "sample.ckpt";
  write_sample(path);
  for (const ReadMode mode : kModes) {
    for (const Verify verify : kVerify) {
      const Reader reader = Reader::open(path, {.mode = mode, .verify = verify});
      for (std::size_t i = 0; i < reader.size(); ++i) {
        const TensorInfo info = reader.info(i);
        INFO(info.path);
        Bytes memory(info.size_bytes, std::byte{0xcc});
        reader.read_into(i, memory);
        const TensorView view = reader.tensor(i);
        CHECK(memory == to_vector(view.bytes()));
        memory.push_back(std::byte{0});
        CKPT_CHECK_CODE(ErrorCode::invalid_argument, reader.read_into(i, memory));
        if (info.size_bytes > 0) {
          memory.resize(info.size_bytes - 1);
          CKPT_CHECK_CODE(ErrorCode::invalid_argument, reader.read_into(i, memory));
        }
      }
      Bytes memory(8);
      CKPT_CHECK_CODE(ErrorCode::invalid_argument, reader.read_into(reader.size(), memory));
    }
  }
}

TEST_CASE("checked copies of all sizes, to all alignments") {
  constexpr std::size_t kSizes[] = {0, 1, 63, 16'384, 32'768, 32'800, 65'536, 131'072, 1'048'576, 1'060'000};
  constexpr std::size_t kShifts[] = {0, 1, 16, 63, 64};
  const TempDir dir;
  const auto path = dir / "sizes.ckpt";
  {
    Writer writer{path, {.durable = false}};
    for (const std::size_t size : kSizes) {
      writer.add(std::to_string(size), DType::u8, {static_cast<std::int64_t>(size)}, random_bytes(size, size));
    }
    writer.commit();
  }
  const Reader reader = Reader::open(path, {.mode = ReadMode::mmap, .verify = Verify::lazy});
  for (const std::size_t size : kSizes) {
    for (const std::size_t shift : kShifts) {
      INFO(size << " bytes to " << shift);
      Bytes memory(size + 256, std::byte{0xcc});
      Bytes expected = memory;
      std::ranges::copy(random_bytes(size, size), expected.begin() + static_cast<std::ptrdiff_t>(shift));
      reader.read_into(*reader.find(std::to_string(size)), std::span{memory}.subspan(shift, size));
      CHECK(memory == expected);
    }
  }
}

TEST_CASE("a view outlives the Reader and the file") {
  const TempDir dir;
  const auto path = dir / "sample.ckpt";
  for (const ReadMode mode : kModes) {
    write_sample(path);
    std::vector<TensorView> views;
    {
      const Reader reader = Reader::open(path, {.mode = mode});
      for (const char* name : {"all/f32", "squeezed", "tied"}) views.push_back(reader.tensor(name));
    }
    std::filesystem::remove(path);
    CHECK(to_vector(views[0].bytes()) == sample_bytes(DType::f32));
    CHECK(to_vector(views[1].bytes()) == smooth_bytes(3 * 65536, 1));
    CHECK(to_vector(views[2].bytes()) == random_bytes(6, 78));
    CHECK(views[0].owner() != nullptr);
  }
}

TEST_CASE("the paths of records live as long as a copy of the Reader") {
  const TempDir dir;
  const auto path = dir / "sample.ckpt";
  write_sample(path);
  for (const ReadMode mode : kModes) {
    std::optional<Reader> copy;
    std::string_view name;
    {
      const Reader reader = Reader::open(path, {.mode = mode});
      name = reader.info(0).path;
      copy = reader;
    }
    CHECK(copy->find(name) == 0U);
  }
}

TEST_CASE("uncompressed tensors are used where they lie") {
  const TempDir dir;
  const auto path = dir / "sample.ckpt";
  write_sample(path);
  const Reader reader = Reader::open(path, {.mode = ReadMode::mmap});
  const TensorView one = reader.tensor("all/f32");
  const TensorView two = reader.tensor("all/f32");
  const TensorView other = reader.tensor("all/f64");
  CHECK(one.bytes().data() == two.bytes().data());
  const auto distance = static_cast<std::ptrdiff_t>(reader.info(*reader.find("all/f64")).offset) -
                        static_cast<std::ptrdiff_t>(reader.info(*reader.find("all/f32")).offset);
  CHECK(other.bytes().data() - one.bytes().data() == distance);
}

TEST_CASE("the private mapping is this process's own") {
  const TempDir dir;
  const auto path = dir / "sample.ckpt";
  write_sample(path);
  const Bytes before = read_file(path);
  const Reader reader = Reader::open(path, {.mode = ReadMode::mmap, .copy_on_write = true});
  const auto memory = reader.private_mapping();
  CHECK(memory == reader.private_mapping());
  const TensorInfo info = reader.info(*reader.find("all/u8"));
  memory.get()[info.offset] ^= std::byte{0xff};
  const TensorView view = reader.tensor("all/u8");
  CHECK(view.bytes()[0] == (memory.get()[info.offset] ^ std::byte{0xff}));
  CHECK(read_file(path) == before);
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, Reader::open(path).private_mapping());
  const ReaderOptions impossible{.mode = ReadMode::read, .copy_on_write = true};
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, Reader::open(path, impossible));
}

TEST_CASE("many threads use one Reader") {
  const TempDir dir;
  const auto path = dir / "sample.ckpt";
  write_sample(path);
  for (const ReadMode mode : {ReadMode::mmap, ReadMode::read}) {
    const Reader reader = Reader::open(path, {.mode = mode, .verify = Verify::lazy});
    const Bytes wanted = smooth_bytes(3 * 65536, 1);
    std::vector<int> good(4, 0);
    std::vector<std::thread> threads;
    for (int& count : good) {
      threads.emplace_back([&] {
        for (int round = 0; round < 20; ++round) {
          for (std::size_t i = 0; i < reader.size(); ++i) bytes_of(reader.tensor(i));
          const TensorView view = reader.tensor("squeezed");
          const bool same = std::equal(view.bytes().begin(), view.bytes().end(), wanted.begin(), wanted.end());
          if (same && reader.contains("model/kernel") && reader.metadata().size() > 5) ++count;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(good == std::vector<int>(4, 20));
  }
}

TEST_CASE("verify counts every byte and tells its progress") {
  const TempDir dir;
  const auto path = dir / "sample.ckpt";
  write_sample(path);
  const Reader reader = Reader::open(path);
  std::uint64_t last = 0;
  std::uint64_t total = 0;
  bool monotonic = true;
  const VerifyReport report = reader.verify({.threads = 3, .progress = [&](std::uint64_t done, std::uint64_t all) {
                                               monotonic = monotonic && done >= last;
                                               last = done;
                                               total = all;
                                             }});
  CHECK(report.ok());
  CHECK(report.tensors == reader.size());
  CHECK(report.bytes == reader.file().file_size);
  CHECK(report.damaged_tensors == 0);
  CHECK(monotonic);
  CHECK(total > 0);
  CHECK(last == total);
}

TEST_CASE("a file of many tensors spans many index pages") {
  const TempDir dir;
  const auto path = dir / "many.ckpt";
  constexpr std::size_t kTensors = 40'000;  // page sums in two levels
  {
    Writer writer{path, fast()};
    for (std::size_t i = 0; i < kTensors; ++i) {
      const std::int64_t value = static_cast<std::int64_t>(i) * 3;
      writer.add<std::int64_t>("layer" + std::to_string(i) + "/w", {}, std::span{&value, 1});
    }
    writer.commit();
  }
  const Reader reader = Reader::open(path);
  REQUIRE(reader.size() == kTensors);
  CHECK(reader.file().sums_size > 4096);
  for (std::size_t i = 0; i < kTensors; i += 997) {
    const TensorView view = reader.tensor("layer" + std::to_string(i) + "/w");
    CHECK(view.as<std::int64_t>()[0] == static_cast<std::int64_t>(i) * 3);
  }
  CHECK_FALSE(reader.contains("layer40000/w"));
  CHECK(reader.verify().ok());
}
