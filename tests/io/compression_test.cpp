// Compression, tensor by tensor: what shrinks is stored in planes, what does not stays plain and zero-copy.
#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/child.hpp>
#include <support/errors.hpp>
#include <support/file_image.hpp>
#include <support/files.hpp>
#include <support/floats.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

WriterOptions small_chunks() {
  WriterOptions options;
  options.durable = false;
  options.chunk_bytes = kMinChunkBytes;
  options.compression = Compression::zstd;
  return options;
}

}  // namespace

TEST_CASE("sizes around the chunk size come back") {
  const TempDir dir;
  const auto path = dir / "sizes.ckpt";
  const std::vector<std::size_t> sizes{0, 1, 2, 4095, 65535, 65536, 65537, 131071, 131072, 131073, 1'000'001};
  {
    Writer writer{path, small_chunks()};
    for (const std::size_t size : sizes) {
      const Shape shape{static_cast<std::int64_t>(size)};
      writer.add("smooth" + std::to_string(size), DType::u8, shape, smooth_bytes(size, size));
      writer.add("random" + std::to_string(size), DType::u8, shape, random_bytes(size, size));
    }
    writer.commit();
  }
  for (const ReadMode mode : {ReadMode::mmap, ReadMode::read}) {
    const Reader reader = Reader::open(path, {.mode = mode, .verify = Verify::lazy});
    for (const std::size_t size : sizes) {
      INFO(size);
      CHECK(bytes_of(reader.tensor("smooth" + std::to_string(size))) == smooth_bytes(size, size));
      CHECK(bytes_of(reader.tensor("random" + std::to_string(size))) == random_bytes(size, size));
    }
    CHECK(reader.verify().ok());
  }
}

TEST_CASE("what does not shrink is stored plain and used where it lies") {
  const TempDir dir;
  const auto path = dir / "mixed.ckpt";
  {
    Writer writer{path, small_chunks()};
    writer.add("noise", DType::u8, {200'000}, random_bytes(200'000, 1));
    writer.add("smooth", DType::u8, {200'000}, smooth_bytes(200'000, 1));
    writer.add("plain", DType::u8, {200'000}, smooth_bytes(200'000, 1), {.compression = Compression::none});
    writer.commit();
  }
  const Reader reader = Reader::open(path, {.mode = ReadMode::mmap});
  const auto info = [&](const char* name) { return reader.info(*reader.find(name)); };
  CHECK(info("noise").compression == Compression::none);
  CHECK(info("noise").stored_bytes == 200'000);
  CHECK(info("smooth").compression == Compression::zstd);
  CHECK(info("smooth").stored_bytes < 20'000);
  CHECK(info("smooth").size_bytes == 200'000);
  CHECK(info("smooth").chunks == 4);
  CHECK(info("plain").compression == Compression::none);
  CHECK(reader.file().required_features == 1);
  const TensorView once = reader.tensor("noise");
  const TensorView again = reader.tensor("noise");
  CHECK(once.bytes().data() == again.bytes().data());
}

TEST_CASE("a file in which nothing shrank does not ask for zstd") {
  const TempDir dir;
  const auto path = dir / "noise.ckpt";
  Writer writer{path, small_chunks()};
  writer.add("noise", DType::u8, {70'000}, random_bytes(70'000, 1));
  writer.commit();
  CHECK(Reader::open(path).file().required_features == 0);
  CHECK(Reader::open(path).verify().ok());
}

TEST_CASE("a tensor that is half noise is stored whichever way it is smaller") {
  const TempDir dir;
  const auto path = dir / "half.ckpt";
  Bytes data = random_bytes(5 * 65536, 4);
  const Bytes smooth = smooth_bytes(3 * 65536, 4);
  std::copy(smooth.begin(), smooth.end(), data.begin() + 65536);
  {
    Writer writer{path, small_chunks()};
    writer.add("half", DType::u8, {5 * 65536}, data);
    writer.add("other half", DType::u8, {5 * 65536}, Bytes{data.rbegin(), data.rend()});
    writer.commit();
  }
  const Reader reader = Reader::open(path, {.verify = Verify::full});
  CHECK(bytes_of(reader.tensor("half")) == data);
  CHECK(bytes_of(reader.tensor("other half")) == Bytes{data.rbegin(), data.rend()});
  CHECK(reader.info(0).stored_bytes <= data.size());
}

TEST_CASE("an alias of a compressed tensor") {
  const TempDir dir;
  const auto path = dir / "alias.ckpt";
  const Bytes data = smooth_bytes(150'000, 6);
  Writer writer{path, small_chunks()};
  writer.add("a", DType::u8, {150'000}, data);
  writer.alias("b", "a");
  writer.commit();
  const Reader reader = Reader::open(path, {.verify = Verify::full});
  CHECK(bytes_of(reader.tensor("b")) == data);
  Bytes memory(data.size());
  reader.read_into(1, memory);
  CHECK(memory == data);
}

TEST_CASE("every level of compression is understood") {
  const TempDir dir;
  const Bytes data = smooth_bytes(100'000, 2);
  for (const int level : {-7, -1, 0, 1, 3, 19, 22}) {
    WriterOptions options = small_chunks();
    options.compression_level = level;
    Writer writer{dir / "level.ckpt", options};
    writer.add("a", DType::u8, {100'000}, data);
    writer.commit();
    const Reader reader = Reader::open(dir / "level.ckpt", {.verify = Verify::full});
    CHECK(reader.info(0).compression == Compression::zstd);
    CHECK(bytes_of(reader.tensor("a")) == data);
  }
}

TEST_CASE("every dtype comes back, of every number of elements") {
  const TempDir dir;
  const auto path = dir / "dtypes.ckpt";
  // Odd ones where the dtype allows it, and around chunks of 64 KiB.
  const std::vector<std::int64_t> counts{0, 8, 24, 8184, 8192, 8200, 40'000, 131'080};
  const auto data_of = [](DType dtype, std::int64_t count, bool compressible) {
    const std::size_t size = bits_of(dtype) * static_cast<std::size_t>(count) / 8;
    if (!compressible) return tensor_bytes(dtype, count, 5);
    Bytes data = dtype == DType::bf16 ? normal_bf16(size, 7) : normal_floats(size, 7);
    if (dtype == DType::boolean)
      std::ranges::transform(data, data.begin(), [](std::byte b) { return b & std::byte{1}; });
    return data;
  };
  {
    Writer writer{path, small_chunks()};
    for (const DType dtype : all_dtypes()) {
      if (bits_of(dtype) == 0) continue;
      for (const std::int64_t count : counts) {
        const std::string name = std::string{to_string(dtype)} + "/" + std::to_string(count);
        writer.add("floats/" + name, dtype, {count}, data_of(dtype, count, true));
        writer.add("noise/" + name, dtype, {count}, data_of(dtype, count, false));
      }
    }
    writer.add("scalar", DType::f64, {}, Bytes(8));
    writer.add("block", DType::block, {64 * 32}, smooth_bytes(64 * 18, 1), {.block = BlockType{"Q4_0", 18, 32}});
    const Bytes strings = encode_strings(std::vector<std::string>(1001, "the same"));
    writer.begin("strings", DType::string, {1001}, {}, strings.size());
    writer.append(strings);
    writer.end();
    writer.begin("unknown", static_cast<DType>(200), {7}, {}, 70'001);
    writer.append(smooth_bytes(70'001, 1));
    writer.end();
    writer.commit();
  }
  for (const ReadMode mode : {ReadMode::mmap, ReadMode::read}) {
    const Reader reader = Reader::open(path, {.mode = mode, .verify = Verify::full, .threads = 3});
    for (const DType dtype : all_dtypes()) {
      if (bits_of(dtype) == 0) continue;
      for (const std::int64_t count : counts) {
        const std::string name = std::string{to_string(dtype)} + "/" + std::to_string(count);
        INFO(name);
        CHECK(bytes_of(reader.tensor("floats/" + name)) == data_of(dtype, count, true));
        CHECK(bytes_of(reader.tensor("noise/" + name)) == data_of(dtype, count, false));
      }
    }
    CHECK(reader.tensor("strings").strings() == std::vector<std::string>(1001, "the same"));
    CHECK(bytes_of(reader.tensor("unknown")) == smooth_bytes(70'001, 1));
    CHECK(bytes_of(reader.tensor("block")) == smooth_bytes(64 * 18, 1));
    CHECK(reader.info(*reader.find("scalar")).compression == Compression::none);
    CHECK(reader.info(*reader.find("floats/f32/131080")).compression == Compression::zstd);
    CHECK(reader.info(*reader.find("floats/bf16/131080")).compression == Compression::zstd);
    CHECK(reader.info(*reader.find("noise/u64/131080")).compression == Compression::none);
    CHECK(reader.info(*reader.find("unknown")).compression == Compression::zstd);
  }
}

TEST_CASE("weights shrink as their exponents allow") {
  const TempDir dir;
  const Bytes bf16 = normal_bf16(1U << 20U, 1);
  const Bytes f32 = normal_floats(1U << 20U, 1);
  Writer writer{dir / "a.ckpt", small_chunks()};
  writer.add("bf16", DType::bf16, {1 << 19U}, bf16);
  writer.add("f32", DType::f32, {1 << 18U}, f32);
  writer.commit();
  const Reader reader = Reader::open(dir / "a.ckpt");
  // About 2.6 of the 8 bits of an exponent are information.
  CHECK(reader.info(0).stored_bytes < bf16.size() * 10 / 15);
  CHECK(reader.info(1).stored_bytes < f32.size() * 10 / 12);
}

TEST_CASE("the file is the same for any number of threads and any pieces") {
  const TempDir dir;
  const Bytes data = normal_floats(1'000'004, 3);
  const auto write = [&](unsigned threads, std::size_t piece) {
    WriterOptions options = sample_options();
    options.compression = Compression::zstd;
    options.threads = threads;
    Writer writer{dir / "a.ckpt", options};
    writer.begin("a", DType::f32, {250'001});
    for (std::size_t done = 0; done < data.size(); done += piece) {
      writer.append(std::span{data}.subspan(done, std::min(piece, data.size() - done)));
    }
    writer.end();
    writer.add("b", DType::f32, {250'001}, data);
    writer.commit();
    return read_file(dir / "a.ckpt");
  };
  const Bytes whole = write(1, data.size());
  CHECK(Reader::open(dir / "a.ckpt").info(0).compression == Compression::zstd);
  CHECK((write(5, data.size()) == whole));
  CHECK((write(1'000'000, data.size()) == whole));
  // Pieces of less than a chunk decide by the first chunk: the same choice here.
  for (const std::size_t piece : {4000U, 65'536U, 70'000U, 200'001U}) {
    CHECK((write(3, piece) == write(1, piece)));
    CHECK(bytes_of(Reader::open(dir / "a.ckpt", {.verify = Verify::full}).tensor("a")) == data);
    CHECK(bytes_of(Reader::open(dir / "a.ckpt", {.threads = 1}).tensor("b")) == data);
  }
}

TEST_CASE("tensors that are compressed together make the same file as one after the other") {
  const TempDir dir;
  const auto data_of = [](std::size_t i) {
    // Less than an alignment, some chunks, many chunks; every third is noise.
    const std::size_t size = i % 50 == 49 ? 3'000'000 : (i * 7919) % 300'000 / 4 * 4;
    return i % 3 == 0 ? random_bytes(size, i) : normal_floats(size, i);
  };
  constexpr std::size_t kTensors = 120;
  const auto write = [&](unsigned threads) {
    WriterOptions options = small_chunks();
    options.threads = threads;
    options.uuid = Uuid{};
    options.created_ns = 1;
    Writer writer{dir / "a.ckpt", options};
    for (std::size_t i = 0; i < kTensors; ++i) {
      const std::string path = "tensor" + std::to_string(i);
      const Bytes data = data_of(i);
      TensorOptions of_tensor;
      if (i % 7 == 0) of_tensor.compression = Compression::none;
      writer.add(path, DType::f32, {static_cast<std::int64_t>(data.size() / 4)}, data, of_tensor);
      if (i % 11 == 0) writer.alias("alias" + std::to_string(i), path);
    }
    writer.commit();
    return read_file(dir / "a.ckpt");
  };
  const Bytes alone = write(1);
  for (const unsigned threads : {2U, 3U, 16U}) CHECK((write(threads) == alone));  // too long to be shown
  const Reader reader = Reader::open(dir / "a.ckpt", {.verify = Verify::full});
  for (std::size_t i = 0; i < kTensors; ++i) {
    INFO(i);
    CHECK(bytes_of(reader.tensor("tensor" + std::to_string(i))) == data_of(i));
  }
}

TEST_CASE("more tensors and aliases than may wait at a time") {
  const TempDir dir;
  constexpr std::size_t kTensors = 10'000;
  const auto data_of = [](std::size_t i) { return normal_floats(i % 40 * 4, i); };
  WriterOptions options = small_chunks();
  options.threads = 3;
  Writer writer{dir / "a.ckpt", options};
  for (std::size_t i = 0; i < kTensors; ++i) {
    const Bytes data = data_of(i);
    const std::string path = "tensor" + std::to_string(i);
    writer.add(path, DType::f32, {static_cast<std::int64_t>(data.size() / 4)}, data);
    writer.alias("alias" + std::to_string(i), path);
  }
  writer.commit();
  const Reader reader = Reader::open(dir / "a.ckpt", {.verify = Verify::full});
  CHECK(reader.size() == 2 * kTensors);
  for (std::size_t i = 0; i < kTensors; ++i) {
    REQUIRE(bytes_of(reader.tensor("tensor" + std::to_string(i))) == data_of(i));
    REQUIRE(bytes_of(reader.tensor("alias" + std::to_string(i))) == data_of(i));
  }
}

// A MiB may wait here: what leaves room, what fills it to the byte, what begins at its start again. All data is there
// before, so that tensors come faster than they are compressed.
TEST_CASE("tensors of any size wait beside each other") {
  const TempDir dir;
  constexpr std::size_t kRoom = 8 * 2 * kMinChunkBytes;
  const std::vector<std::size_t> pattern{kRoom / 2, kRoom / 4,         kRoom / 8, kRoom / 2 - 4,     0, 8,
                                         kRoom / 2, kRoom / 3 / 4 * 4, kRoom / 2, kRoom / 6 / 4 * 4, 4, kRoom / 2 + 4};
  std::vector<Bytes> data;
  for (std::size_t i = 0; i < 10 * pattern.size(); ++i)
    data.push_back(normal_floats(pattern[i * 7 % pattern.size()], i));
  WriterOptions options = small_chunks();
  options.threads = 2;
  Writer writer{dir / "a.ckpt", options};
  for (std::size_t i = 0; i < data.size(); ++i) {
    writer.add(std::to_string(i), DType::f32, {static_cast<std::int64_t>(data[i].size() / 4)}, Bytes{data[i]});
  }
  writer.commit();
  const Reader reader = Reader::open(dir / "a.ckpt", {.verify = Verify::full});
  for (std::size_t i = 0; i < data.size(); ++i) {
    INFO(i);
    CHECK((bytes_of(reader.tensor(std::to_string(i))) == data[i]));
  }
}

TEST_CASE("what is stored comes behind what still waits to be compressed") {
  const TempDir dir;
  const Bytes some = normal_floats(100'000, 1), much = normal_floats(3'000'000, 2);
  const auto write = [&](unsigned threads) {
    WriterOptions options = sample_options();
    options.compression = Compression::zstd;
    options.threads = threads;
    Writer writer{dir / "a.ckpt", options};
    for (int i = 0; i < 20; ++i) {
      for (int part = 0; part < 4; ++part) {
        writer.add(std::to_string(i) + "/" + std::to_string(part), DType::f32, {25'000}, some);
      }
      writer.add(std::to_string(i) + "/stored", DType::f32, {750'000}, much, {.compression = Compression::none});
    }
    writer.commit();
    return read_file(dir / "a.ckpt");
  };
  const Bytes alone = write(1);
  for (const unsigned threads : {2U, 3U}) CHECK((write(threads) == alone));
}

TEST_CASE("a tensor comes in pieces while others are compressed") {
  const TempDir dir;
  const Bytes some = normal_floats(100'000, 1), smooth = normal_floats(400'000, 2), noise = random_bytes(400'000, 3);
  const auto write = [&](unsigned threads) {
    WriterOptions options = sample_options();
    options.compression = Compression::zstd;
    options.threads = threads;
    Writer writer{dir / "a.ckpt", options};
    for (std::size_t i = 0; i < 16; ++i) {
      const std::string name = std::to_string(i);
      for (int part = 0; part < 4; ++part) {
        writer.add(name + "/" + std::to_string(part), DType::f32, {25'000}, some);
      }
      const Bytes& data = i % 2 == 0 ? smooth : noise;  // the latter is stored after all
      writer.begin(name, DType::f32, {100'000});
      for (std::size_t done = 0, piece = 20'000 * (1 + i / 2); done < data.size(); done += piece) {
        writer.append(std::span{data}.subspan(done, std::min(piece, data.size() - done)));
      }
      writer.end();
    }
    writer.commit();
    return read_file(dir / "a.ckpt");
  };
  const Bytes alone = write(1);
  const Reader reader = Reader::open(dir / "a.ckpt", {.verify = Verify::full});
  for (int i = 0; i < 16; ++i) CHECK((bytes_of(reader.tensor(std::to_string(i))) == (i % 2 == 0 ? smooth : noise)));
  for (const unsigned threads : {2U, 5U}) CHECK((write(threads) == alone));
}

TEST_CASE("misuse is refused while others are compressed, and nothing remains") {
  const TempDir dir;
  const Bytes data = normal_floats(100'000, 1);
  const auto misuse = [&](const auto& action) {
    WriterOptions options = small_chunks();
    options.threads = 4;
    Writer writer{dir / "a.ckpt", options};
    for (int i = 0; i < 8; ++i) writer.add(std::to_string(i), DType::f32, {25'000}, data);
    writer.begin("streamed", DType::f32, {50'000});
    writer.append(data);
    const auto code = code_of([&] { action(writer); });
    CHECK(names_in(dir.path()).empty());
    return code;
  };
  CHECK(misuse([&](Writer& writer) { writer.append(Bytes(100'001)); }) == ErrorCode::invalid_argument);
  CHECK(misuse([&](Writer& writer) { writer.end(); }) == ErrorCode::invalid_argument);
  CHECK(misuse([&](Writer& writer) { writer.commit(); }) == ErrorCode::invalid_argument);
  CHECK(misuse([&](Writer& writer) { writer.alias("b", "0"); }) == ErrorCode::invalid_argument);
  CHECK(misuse([&](Writer& writer) { writer.add("b", DType::f32, {25'000}, data); }) == ErrorCode::invalid_argument);
}

TEST_CASE("a Writer that has committed or failed has no threads") {
  const TempDir dir;
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks{"/proc/self/task"};
    return std::distance(begin(tasks), end(tasks));
  };
  const auto before = threads();
  const Bytes data = normal_floats(500'000, 1);
  for (const bool fails : {false, true}) {
    WriterOptions options = small_chunks();
    options.threads = 4;
    Writer writer{dir / "a.ckpt", options};
    for (int i = 0; i < 4; ++i) writer.add(std::to_string(i), DType::f32, {125'000}, data);
    CHECK(threads() > before);
    if (fails) {
      CKPT_CHECK_CODE(ErrorCode::not_found, writer.alias("b", "nowhere"));
    } else {
      writer.commit();
    }
    // The kernel lists one that was joined for a moment longer.
    for (int i = 0; i < 1000 && threads() > before; ++i) std::this_thread::sleep_for(std::chrono::milliseconds{10});
    CHECK(threads() == before);
  }
}

TEST_CASE("a Writer that is dropped while it compresses leaves nothing") {
  const TempDir dir;
  const Bytes data = normal_floats(500'000, 1);
  for (int i = 0; i < 10; ++i) {
    WriterOptions options = small_chunks();
    options.threads = 4;
    Writer writer{dir / "a.ckpt", options};
    for (int tensor = 0; tensor < i; ++tensor) writer.add(std::to_string(tensor), DType::f32, {125'000}, data);
  }
  CHECK(names_in(dir.path()).empty());
}

TEST_CASE("what is wrong with a tensor is told at once, also while others wait to be compressed") {
  const TempDir dir;
  WriterOptions options = small_chunks();
  options.threads = 4;
  const auto with_one = [&](const auto& action) {
    Writer writer{dir / "a.ckpt", options};
    writer.add("a", DType::f32, {1000}, normal_floats(4000, 1));
    const auto error = error_of([&] { action(writer); });
    CHECK(code_of([&] { writer.commit(); }) == (error ? std::optional{ErrorCode::invalid_argument} : std::nullopt));
    return error;
  };
  const auto twice = with_one([](Writer& writer) { writer.add("a", DType::f32, {1}, normal_floats(4, 1)); });
  REQUIRE(twice);
  CHECK(twice->code() == ErrorCode::already_exists);
  const auto no_bool = with_one([](Writer& writer) { writer.add("b", DType::boolean, {1}, Bytes{std::byte{2}}); });
  REQUIRE(no_bool);
  CHECK(no_bool->code() == ErrorCode::invalid_argument);
  CHECK(no_bool->details().object == "b");
  const auto size = with_one([](Writer& writer) { writer.add("b", DType::f32, {2}, normal_floats(4, 1)); });
  REQUIRE(size);
  CHECK(size->code() == ErrorCode::invalid_argument);
  CHECK(names_in(dir.path()).empty());
  const auto no_owner = with_one([](Writer& writer) { writer.alias("b", "c"); });
  REQUIRE(no_owner);
  CHECK(no_owner->code() == ErrorCode::not_found);
  const auto same_alias = with_one([](Writer& writer) {
    writer.alias("b", "a");
    writer.alias("b", "a");
  });
  REQUIRE(same_alias);
  CHECK(same_alias->code() == ErrorCode::already_exists);
  CHECK(!with_one([](Writer& writer) {
    writer.alias("b", "a");
    writer.alias("c", "b");
  }));
  const Reader reader = Reader::open(dir / "a.ckpt", {.verify = Verify::full});
  for (const char* path : {"b", "c"}) CHECK(bytes_of(reader.tensor(path)) == normal_floats(4000, 1));
}

TEST_CASE("a streamed tensor whose first chunk does not shrink is stored") {
  const TempDir dir;
  Bytes data = random_bytes(200'000, 3);
  std::fill(data.begin() + 70'000, data.end(), std::byte{});
  for (const std::size_t piece : {1000U, 65'536U, 65'537U, 70'000U}) {
    Writer writer{dir / "a.ckpt", small_chunks()};
    writer.begin("a", DType::u8, {200'000});
    for (std::size_t done = 0; done < data.size(); done += piece) {
      writer.append(std::span{data}.subspan(done, std::min(piece, data.size() - done)));
    }
    writer.end();
    writer.commit();
    const Reader reader = Reader::open(dir / "a.ckpt", {.verify = Verify::full});
    CHECK(reader.info(0).compression == Compression::none);
    CHECK(bytes_of(reader.tensor("a")) == data);
  }
}

TEST_CASE("many threads read compressed tensors of one reader") {
  const TempDir dir;
  const Bytes data = normal_floats(1'000'004, 3);
  Writer writer{dir / "a.ckpt", small_chunks()};
  writer.add("a", DType::f32, {250'001}, data);
  writer.commit();
  for (const ReadMode mode : {ReadMode::mmap, ReadMode::read}) {
    const Reader reader = Reader::open(dir / "a.ckpt", {.mode = mode, .verify = Verify::lazy, .threads = 3});
    std::vector<Bytes> results(4, Bytes(data.size()));
    {
      std::vector<std::jthread> threads;
      for (Bytes& result : results) threads.emplace_back([&] { reader.read_into(0, result); });
    }
    for (const Bytes& result : results) CHECK(result == data);
  }
}

TEST_CASE("every flipped bit of compressed chunks is found") {
  const TempDir dir;
  WriterOptions options = sample_options();
  options.compression = Compression::zstd;
  Writer writer{dir / "a.ckpt", options};
  writer.add("a", DType::bf16, {2000}, normal_bf16(4000, 3));
  writer.commit();
  const TensorInfo info = Reader::open(dir / "a.ckpt").info(0);
  REQUIRE(info.compression == Compression::zstd);
  const FileImage whole{dir / "a.ckpt"};
  for (std::size_t bit = 0; bit < info.stored_bytes * 8; bit += 7) {
    FileImage image = whole;
    const std::size_t offset = info.offset + bit / 8;
    image.set<std::uint8_t>(offset, static_cast<std::uint8_t>(image.get<std::uint8_t>(offset) ^ 1U << bit % 8));
    image.store(dir / "b.ckpt");
    const Reader reader = Reader::open(dir / "b.ckpt", {.verify = Verify::lazy});
    CKPT_CHECK_CODE(ErrorCode::corrupt, reader.tensor("a"));
    CHECK(reader.verify().problems.size() == 1);
    // Without sums no harm is done either.
    code_of([&] { Reader::open(dir / "b.ckpt").tensor("a"); });
  }
}

TEST_CASE("damage of one chunk is named, whichever thread finds it") {
  const TempDir dir;
  Writer writer{dir / "a.ckpt", small_chunks()};
  writer.add("a", DType::f32, {1 << 18U}, normal_floats(1U << 20U, 3));
  writer.commit();
  FileImage image{dir / "a.ckpt"};
  const TensorInfo info = Reader::open(dir / "a.ckpt").info(0);
  const std::size_t last = info.offset + info.stored_bytes - 1;
  image.set<std::uint8_t>(last, static_cast<std::uint8_t>(image.get<std::uint8_t>(last) ^ 1U));
  image.store(dir / "b.ckpt");
  const Reader reader = Reader::open(dir / "b.ckpt", {.verify = Verify::lazy, .threads = 4});
  CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, reader.tensor("a"));
  CHECK(contains(error.what(), "chunk 16 of 16"));
  const VerifyReport report = reader.verify({.threads = 4});
  REQUIRE(report.problems.size() == 1);
  CHECK(contains(report.problems.front().what(), "chunk 16 of 16"));
}

TEST_CASE("an error of writing ends all threads that compress, and is reported") {
  const TempDir dir;
  const ChildResult result = run_child([&]() -> std::string {
    const struct rlimit limit{1'000'000, 1'000'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return skip("cannot set a limit");
    const Bytes piece = normal_floats(1U << 20U, 3);
    for (const std::size_t pieces : {1U, 64U}) {  // tensors that are compressed together, and one alone
      Bytes data;
      while (data.size() < pieces << 20U) data.insert(data.end(), piece.begin(), piece.end());
      WriterOptions options = small_chunks();
      options.threads = pieces == 1 ? 16 : 3;
      Writer writer{dir / "a.ckpt", options};
      const auto error = error_of([&] {
        for (std::size_t i = 0; i < 64 / pieces; ++i) {
          writer.add(std::to_string(i), DType::f32, {static_cast<std::int64_t>(data.size() / 4)}, data);
        }
        writer.commit();
      });
      if (!error) return "no error";
      if (error->code() != ErrorCode::io || error->details().file != dir / "a.ckpt") return error->what();
      if (code_of([&] { writer.commit(); }) != ErrorCode::invalid_argument) return "the Writer is not poisoned";
      if (!names_in(dir.path()).empty()) return "something is left";
    }
    return {};
  });
  if (!skipped(result)) CHECK(result.text == "");
}
