// Explicit reads of what the page cache does not have go past it. The door says that it has nothing.
#include "sweep.hpp"

#include <ckpt/ckpt.hpp>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <support/files.hpp>
#include <support/temp_dir.hpp>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>

using namespace ckpt;
using namespace ckpt::test;
using door::Call;
using door::Effect;
using door::Fault;

namespace {

constexpr std::size_t kLarge = (std::size_t{4} << 20U) + 300'001;  // five chunks, nine requests, no multiple of a block
constexpr std::size_t kOdd = 100'003;

// Tensors that lie on no block of the device.
void write_model(const std::filesystem::path& path) {
  Writer writer{path, {.durable = false, .large_alignment = kDefaultSmallAlignment}};
  writer.add("after", DType::u8, {kOdd}, random_bytes(kOdd, 2));
  writer.add("large", DType::u8, {kLarge}, random_bytes(kLarge, 1));
  writer.add("small", DType::u8, {5}, random_bytes(5, 3));
  writer.commit();
}

// All tensors, at once, to where no vector and no device wants them.
std::vector<Bytes> read_all(const Reader& reader) {
  std::vector<Bytes> places;
  std::vector<ReadRequest> requests;
  for (std::size_t i = 0; i < reader.size(); ++i) {
    Bytes& place = places.emplace_back(reader.info(i).size_bytes + 1);
    requests.push_back({i, std::span{place}.subspan(1)});
  }
  reader.read_into(requests);
  for (Bytes& place : places) place.erase(place.begin());
  return places;
}

bool is_model(const std::vector<Bytes>& tensors) {
  return tensors == std::vector{random_bytes(kOdd, 2), random_bytes(kLarge, 1), random_bytes(5, 3)};
}

struct NothingCached {
  NothingCached() { door::pretend_nothing_cached(true); }
  ~NothingCached() { door::pretend_nothing_cached(false); }
  NothingCached(const NothingCached&) = delete;
  NothingCached& operator=(const NothingCached&) = delete;
};

// The descriptor that was opened for direct reads, if the file system has them.
std::optional<int> direct_descriptor() {
  const auto events = door::events();
  const auto opened = std::ranges::find_if(events, [](const door::Event& event) {
    return event.call == Call::open && (event.flags & O_DIRECT) != 0 && event.result >= 0;
  });
  return opened == events.end() ? std::nullopt : std::optional{static_cast<int>(opened->result)};
}

// The requests that went there.
std::vector<door::Event> direct_reads() {
  const auto descriptor = direct_descriptor();
  std::vector<door::Event> reads = door::events();
  std::erase_if(reads, [&](const door::Event& event) { return event.call != Call::pread || event.fd != descriptor; });
  return reads;
}

class ReadCold : public Operation {
 public:
  explicit ReadCold(const std::filesystem::path& dir) : path_{dir / "a.ckpt"} { write_model(path_); }
  void run() override {
    is_right_ = false;
    const Reader reader = Reader::open(path_, {.mode = ReadMode::read, .verify = Verify::lazy, .threads = 1});
    is_right_ = is_model(read_all(reader));
  }
  std::string judge(const Struck& struck) override {
    if (struck.ok() && !is_right_) return "other values";
    run();
    return is_right_ ? "" : "other values at the next try";
  }

 private:
  std::filesystem::path path_;
  bool is_right_ = false;
};

}  // namespace

TEST_CASE("what the page cache does not have is read past it") {
  const TempDir dir;
  write_model(dir / "a.ckpt");
  for (const Verify verify : {Verify::none, Verify::lazy}) {
    const NothingCached nothing;
    const door::Guard guard{{}, true};
    const Reader reader = Reader::open(dir / "a.ckpt", {.mode = ReadMode::read, .verify = verify});
    CHECK(is_model(read_all(reader)));
    const TensorView large = reader.tensor("large");
    CHECK(to_vector(large.bytes()) == random_bytes(kLarge, 1));
    if (!direct_descriptor()) {
      std::cout << "SKIPPED: no direct reads on this file system\n";
      return;
    }
    const auto reads = direct_reads();
    CHECK(reads.size() == 18);  // of "large", twice
    for (const door::Event& read : reads) {
      CHECK(read.offset % 4096 == 0);
      CHECK(read.size % 4096 == 0);
      CHECK(read.size <= 516U << 10U);
    }
  }
}

TEST_CASE("tensors that lie side by side come with one request") {
  const TempDir dir;
  constexpr std::size_t kCount = 1500;
  constexpr std::size_t kBytes = 3000;
  {
    Writer writer{dir / "a.ckpt", {.durable = false}};
    for (std::size_t i = 0; i < kCount; ++i) {
      writer.add("v" + std::to_string(1000 + i), DType::u8, {kBytes}, random_bytes(kBytes, i));
    }
    writer.commit();
  }
  const NothingCached nothing;
  const door::Guard guard{{}, true};
  const std::vector<Bytes> tensors = read_all(Reader::open(dir / "a.ckpt", {.mode = ReadMode::read}));
  for (std::size_t i = 0; i < kCount; ++i) CHECK(tensors[i] == random_bytes(kBytes, i));
  if (direct_descriptor()) CHECK(direct_reads().size() == 9);  // of half a MiB, 174 tensors each
}

TEST_CASE("what is little, or lies far apart, is for the page cache, which has it the next time") {
  const TempDir dir;
  constexpr std::size_t kCount = 100;
  constexpr std::size_t kBytes = 100'000;
  {
    Writer writer{dir / "a.ckpt", {.durable = false}};
    for (std::size_t i = 0; i < kCount; ++i) {
      writer.add("v" + std::to_string(100 + i), DType::u8, {kBytes}, random_bytes(kBytes, i));
    }
    writer.commit();
  }
  const int direct = ::open((dir / "a.ckpt").c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
  const bool has_direct_reads = direct >= 0;
  if (has_direct_reads) ::close(direct);
  const NothingCached nothing;
  const door::Guard guard{{}, true};
  const Reader reader = Reader::open(dir / "a.ckpt", {.mode = ReadMode::read});
  // From the last on.
  const auto request = [&](std::size_t count, std::size_t step) {
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < count; ++i) indices.push_back((count - 1 - i) * step);
    const std::vector<TensorView> views = reader.tensors(indices);
    for (std::size_t i = 0; i < views.size(); ++i) {
      CHECK(to_vector(views[i].bytes()) == random_bytes(kBytes, indices[i]));
    }
  };
  request(1, 1);
  request(20, 1);
  request(kCount / 2, 2);
  CHECK_FALSE(direct_descriptor());
  request(kCount, 1);  // in the order of the file, whatever that of the call
  CHECK(direct_reads().empty() == !has_direct_reads);
}

TEST_CASE("what the page cache has, what is mapped, and what a network brings is not") {
  const TempDir dir;
  write_model(dir / "a.ckpt");
  {
    const door::Guard guard{{}, true};
    CHECK(is_model(read_all(Reader::open(dir / "a.ckpt", {.mode = ReadMode::read}))));
    CHECK(direct_reads().empty());
  }
  const NothingCached nothing;
  {
    const door::Guard guard{{}, true};
    CHECK(is_model(read_all(Reader::open(dir / "a.ckpt", {.mode = ReadMode::mmap}))));
    CHECK_FALSE(direct_descriptor());
  }
  door::pretend_file_system(0x6969);  // NFS
  const door::Guard guard{{}, true};
  CHECK(is_model(read_all(Reader::open(dir / "a.ckpt"))));
  CHECK_FALSE(direct_descriptor());
  door::pretend_file_system(0);
}

TEST_CASE("direct reads that fail or are short are left to the page cache") {
  const NothingCached nothing;
  const auto make = [](const std::filesystem::path& dir) { return std::make_unique<ReadCold>(dir); };
  const std::vector<Fault> faults{
      {Effect::fail, EIO}, {Effect::fail, EINVAL}, {Effect::fail, ENOMEM}, {Effect::fail, EINTR},
      {Effect::none},      {Effect::one},          {Effect::half},         {Effect::half, 0, 1, door::kForEver}};
  CHECK(strike_all("read, cold", make, faults).survived == std::set<std::string>{"close", "fstatfs", "getrlimit",
                                                                                 "madvise", "mincore", "mmap", "munmap",
                                                                                 "open", "pread"});
}
