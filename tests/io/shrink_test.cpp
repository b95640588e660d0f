// A file that somebody cuts off in place while it is open. Explicit reads, prefault and verify give errors; what a
// mapping gives where it is touched is a signal, which no library can help.
#include <ckpt/ckpt.hpp>

#include <catch2/catch.hpp>
#include <support/child.hpp>
#include <support/errors.hpp>
#include <support/files.hpp>
#include <support/temp_dir.hpp>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::size_t kBytes = std::size_t{1} << 20U;

class Object : public Trackable {
 public:
  using Trackable::add_variable;
};

// "a" and "b" of a MiB, "z" compressed, and names enough for an index of many pages. Without a graph.
void write_model(const std::filesystem::path& path) {
  Writer writer{path, {.durable = false}};
  writer.add("a", DType::u8, {kBytes}, random_bytes(kBytes, 1));
  writer.add("b", DType::u8, {kBytes}, random_bytes(kBytes, 2));
  for (int i = 0; i < 2000; ++i) writer.add("many/" + std::to_string(i), DType::u8, {4}, random_bytes(4, 3));
  writer.add("z", DType::f32, {kBytes / 4}, smooth_bytes(kBytes, 4), {.compression = Compression::zstd});
  writer.commit();
}

void cut(const std::filesystem::path& path, std::uint64_t size) {
  REQUIRE(::truncate(path.c_str(), static_cast<off_t>(size)) == 0);
}

// A file that is open, all of whose index was used.
struct Open {
  explicit Open(ReadMode mode) {
    write_model(path);
    reader.emplace(Reader::open(path, {.mode = mode, .verify = Verify::lazy}));
    for (std::size_t i = 0; i < reader->size(); ++i) reader->info(i);
    reader->graph();
    a = *reader->find("a");
    b = *reader->find("b");
    z = *reader->find("z");
  }
  std::uint64_t middle_of(std::size_t tensor) const { return reader->info(tensor).offset + kBytes / 2; }

  TempDir dir;
  std::filesystem::path path = dir / "model.ckpt";
  std::optional<Reader> reader;
  std::size_t a = 0, b = 0, z = 0;
};

void check_reported(const Open& open) {
  const VerifyReport report = open.reader->verify();
  REQUIRE_FALSE(report.ok());
  for (const Error& error : report.problems) {
    INFO(error.what());
    CHECK(error.code() == ErrorCode::corrupt);
    CHECK(error.details().file == open.path);
    CHECK(error.details().offset.has_value());
  }
}

// Touching a mapping in another process; a sanitizer may turn the signal into a report and an exit.
void check_signal(const std::function<void()>& touch) {
  const ChildResult result = run_child([&]() -> std::string {
    ::signal(SIGBUS, SIG_DFL);
    touch();
    return "no signal";
  });
  CHECK(result.text != "no signal");
  CHECK((result.signal == SIGBUS || result.exit_status != 0));
}

}  // namespace

TEST_CASE("explicit reads of a file that was cut off are errors", "[shrink]") {
  const Open open{ReadMode::read};
  cut(open.path, std::filesystem::file_size(open.path) - 1);
  check_reported(open);
  cut(open.path, open.middle_of(open.b));
  Bytes memory(kBytes);
  open.reader->read_into(open.a, memory);
  CHECK(memory == random_bytes(kBytes, 1));
  for (const std::size_t tensor : {open.b, open.z}) {
    const std::vector<std::size_t> both{open.a, tensor};
    CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, open.reader->tensor(tensor));
    CHECK(contains(error.what(), "ends early"));
    CHECK(error.details().file == open.path);
    CKPT_CHECK_CODE(ErrorCode::corrupt, open.reader->tensors(both));
    CKPT_CHECK_CODE(ErrorCode::corrupt, open.reader->read_into(tensor, memory));
    CKPT_CHECK_CODE(ErrorCode::corrupt, open.reader->verify_tensor(tensor));
  }
  CHECK_NOTHROW(open.reader->prefault(open.b));  // nothing is mapped
  check_reported(open);
  cut(open.path, 0);
  CKPT_CHECK_CODE(ErrorCode::corrupt, open.reader->tensor(open.a));
  CHECK(open.reader->find("many/17").has_value());  // the index is in memory
  check_reported(open);
}

TEST_CASE("prefault has tensors in memory, or tells why not", "[shrink][prefault]") {
  const Open open{ReadMode::mmap};
  const std::vector<std::size_t> all{open.a, open.b, open.z};
  open.reader->prefault(all);
  const TensorView a = open.reader->tensor(open.a);
  CHECK(to_vector(a.bytes()) == random_bytes(kBytes, 1));
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, open.reader->prefault(open.reader->size()));
  CHECK_NOTHROW(open.reader->prefault(std::span<const std::size_t>{}));

  const std::uint64_t whole = std::filesystem::file_size(open.path);
  for (const std::uint64_t size : {whole - 8192, open.middle_of(open.b), std::uint64_t{64}, std::uint64_t{0}}) {
    cut(open.path, size);
    CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, open.reader->prefault(all));
    CHECK(contains(error.what(), "ends early"));
    CHECK(error.details().file == open.path);
  }
}

TEST_CASE("prefault of a file that is cut off meanwhile", "[shrink][prefault][threads]") {
  const TempDir dir;
  const auto path = dir / "many.ckpt";
  Writer writer{path, {.durable = false}};
  for (int i = 0; i < 5000; ++i) writer.add("tensor/number/" + std::to_string(i), DType::u8, {64}, random_bytes(64, 1));
  writer.commit();
  const Bytes bytes = read_file(path);
  std::vector<std::size_t> all(5000);
  std::iota(all.begin(), all.end(), std::size_t{0});
  for (int round = 0; round < 30; ++round) {
    write_file(path, bytes);
    const Reader reader = Reader::open(path, {.mode = ReadMode::mmap});
    std::thread cutter{[&] {
      std::this_thread::sleep_for(std::chrono::microseconds{100 * round});
      static_cast<void>(::truncate(path.c_str(), 4096));
    }};
    bool failed = false;
    while (!failed) {
      const auto code = code_of([&] { reader.prefault(all); });
      failed = code.has_value();
      if (failed) CHECK(code == ErrorCode::corrupt);
    }
    cutter.join();
  }
}

TEST_CASE("prefault of a file that was removed", "[shrink][prefault]") {
  const Open open{ReadMode::mmap};
  std::filesystem::remove(open.path);
  open.reader->prefault(open.b);
  const TensorView b = open.reader->tensor(open.b);
  CHECK(to_vector(b.bytes()) == random_bytes(kBytes, 2));
  // Another file is at the path: what is verified is the one that is open.
  write_file(open.path, "another");
  CHECK(open.reader->verify().ok());
}

TEST_CASE("a removed file that was cut off", "[shrink][prefault]") {
  const Open open{ReadMode::mmap};
  std::filesystem::create_hard_link(open.path, open.dir / "second");
  std::filesystem::remove(open.path);
  cut(open.dir / "second", 64);
  CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, open.reader->prefault(open.b));
  CHECK(contains(error.what(), "ends early"));
  check_reported(open);
}

TEST_CASE("opening a file without a footer that is cut off meanwhile", "[shrink][threads]") {
  const TempDir dir;
  const auto path = dir / "model.ckpt";
  write_model(path);
  Bytes bytes = read_file(path);
  bytes.resize(bytes.size() - 200);
  write_file(path, bytes);
  std::atomic<bool> ends = false;
  std::thread cutter{[&] {
    while (!ends) {
      static_cast<void>(::truncate(path.c_str(), 4096));
      static_cast<void>(::truncate(path.c_str(), static_cast<off_t>(bytes.size())));
    }
  }};
  for (int i = 0; i < 3000; ++i) CKPT_CHECK_CODE(ErrorCode::corrupt, Reader::open(path, {.mode = ReadMode::mmap}));
  ends = true;
  cutter.join();
}

TEST_CASE("verify reports a mapped file that was cut off", "[shrink]") {
  const Open open{ReadMode::mmap};
  REQUIRE(open.reader->verify().ok());
  const std::uint64_t whole = std::filesystem::file_size(open.path);
  for (const std::uint64_t size : {whole - 1, whole - 8192, open.middle_of(open.b), std::uint64_t{0}}) {
    cut(open.path, size);
    check_reported(open);
  }
}

TEST_CASE("verify reports a file that grew", "[shrink]") {
  for (const ReadMode mode : {ReadMode::mmap, ReadMode::read}) {
    const Open open{mode};
    std::ofstream{open.path, std::ios::app} << "more";
    check_reported(open);
    CHECK(contains(open.reader->verify().problems.front().what(), "goes on behind its end"));
  }
}

TEST_CASE("verify finds the file of a relative path from another directory", "[shrink]") {
  const ChildResult result = run_child([]() -> std::string {
    const TempDir dir;
    std::filesystem::current_path(dir.path());
    write_model("model.ckpt");
    const Reader reader = Reader::open("model.ckpt", {.mode = ReadMode::mmap});
    std::filesystem::current_path("/");
    if (!reader.verify().ok()) return "it is not whole";
    static_cast<void>(::truncate((dir / "model.ckpt").c_str(), 4096));
    return reader.verify().ok() ? "nothing was reported" : "";
  });
  CHECK(result.text == "");
}

TEST_CASE("verify reports a file that is cut off meanwhile", "[shrink][threads]") {
  const TempDir dir;
  const auto path = dir / "large.ckpt";
  const Bytes data = random_bytes(24 * kBytes, 1);
  for (int round = 0; round < 8; ++round) {
    Writer writer{path, {.durable = false}};
    writer.add("w", DType::u8, {static_cast<std::int64_t>(data.size())}, data);
    writer.commit();
    const Reader reader = Reader::open(path, {.mode = ReadMode::mmap});
    std::thread cutter{[&] {
      std::this_thread::sleep_for(std::chrono::microseconds{500 * round});
      static_cast<void>(::truncate(path.c_str(), 4096));
    }};
    bool reported = false;
    while (!reported) reported = !reader.verify({.threads = 2}).ok();
    cutter.join();
    CHECK(reported);
  }
}

TEST_CASE("what is cut off while it is verified is named by tensor", "[shrink]") {
  const TempDir dir;
  const auto path = dir / "model.ckpt";
  write_model(path);
  const Reader reader = Reader::open(path, {.mode = ReadMode::read});  // has the index in memory
  const std::uint64_t size = reader.info(*reader.find("b")).offset;
  const VerifyReport report = reader.verify({.threads = 1, .progress = [&](auto, auto) { cut(path, size); }});
  CHECK(report.damaged_tensors == report.tensors - 1);  // "a" was checked before
  for (const Error& error : report.problems) {
    INFO(error.what());
    CHECK(reader.find(error.details().object).has_value());
  }
}

TEST_CASE("the graph of a mapped file that was cut off is an error", "[shrink][prefault]") {
  const TempDir dir;
  const auto path = dir / "model.ckpt";
  Object object;
  for (int i = 0; i < 2000; ++i) object.add_variable<std::uint8_t>("variable " + std::to_string(i), {4});
  save_weights(object, path, {.writer = {.durable = false}});
  const Bytes bytes = read_file(path);
  for (const bool all : {false, true}) {
    write_file(path, bytes);
    const Reader reader = Reader::open(path, {.mode = ReadMode::mmap});
    cut(path, all ? 0 : bytes.size() - 8192);
    CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, reader.graph());
    CHECK(contains(error.what(), "ends early"));
    CHECK(error.details().file == path);
  }
}

TEST_CASE("restoring from a file that was cut off", "[shrink][restore]") {
  for (const Binding binding : {Binding::copy, Binding::view, Binding::copy_on_write}) {
    const TempDir dir;
    const auto path = dir / "model.ckpt";
    write_model(path);
    Object object;
    Variable<std::uint8_t> a = object.add_variable<std::uint8_t>("a", {kBytes});
    Checkpoint checkpoint{object};
    const RestoreOptions options{.binding = binding, .mode = ReadMode::read};
    checkpoint.read(path, options).expect_partial();
    cut(path, 4096);
    // What was restored is the program's, and what waited for an object cannot be read any more.
    CHECK(to_vector(a.bytes()) == random_bytes(kBytes, 1));
    CKPT_CHECK_CODE(ErrorCode::corrupt, object.add_variable<std::uint8_t>("b", {kBytes}));
    CKPT_CHECK_CODE(ErrorCode::corrupt, object.add_variable<float>("z", {kBytes / 4}));
    for (const ReadMode mode : {ReadMode::automatic, ReadMode::mmap, ReadMode::read}) {
      CKPT_CHECK_CODE(ErrorCode::corrupt, checkpoint.read(path, {.binding = binding, .mode = mode}));
    }
    CHECK(to_vector(a.bytes()) == random_bytes(kBytes, 1));
  }
}

TEST_CASE("a copy that was restored through a mapping stays whole when the file is cut off", "[shrink][restore]") {
  const TempDir dir;
  const auto path = dir / "model.ckpt";
  write_model(path);
  Object object;
  Variable<std::uint8_t> b = object.add_variable<std::uint8_t>("b", {kBytes});
  Checkpoint checkpoint{object};
  checkpoint.read(path, {.mode = ReadMode::mmap}).expect_partial();
  cut(path, 0);
  CHECK(to_vector(b.bytes()) == random_bytes(kBytes, 2));
}

TEST_CASE("touching a mapping that was cut off is a signal", "[shrink][signal]") {
  const Open open{ReadMode::mmap};
  const TensorView a = open.reader->tensor(open.a);
  Object object;
  Checkpoint checkpoint{object};
  checkpoint.read(open.path, {.mode = ReadMode::mmap}).expect_partial();
  cut(open.path, open.reader->info(open.a).offset);
  check_signal([&] { [[maybe_unused]] const volatile std::byte touched = a.bytes().back(); });
  check_signal([&] {
    Bytes memory(kBytes);
    open.reader->read_into(open.b, memory);
  });
  check_signal([&] { object.add_variable<std::uint8_t>("b", {kBytes}); });
}
