// zstd, tensor by tensor: what shrinks is stored in frames, what does not stays plain and zero-copy.
#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/errors.hpp>
#include <support/files.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <string>
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
