// A file that somebody truncates in place while it is open: what is an error, and what is a signal. The same of devices
// that fail is in tests/filesystems.
#include <ckpt/reader.hpp>
#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <support/child.hpp>
#include <support/errors.hpp>
#include <support/files.hpp>
#include <support/temp_dir.hpp>

#include <csignal>
#include <filesystem>
#include <functional>
#include <span>

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::size_t kBytes = 3U << 20U;

// Opens a checkpoint in another process, shrinks it there, and goes on with `then`.
ChildResult shrink(ReadMode mode, const std::function<std::string(const Reader&, const TensorView&)>& then) {
  const TempDir dir;
  return run_child([&]() -> std::string {
    ::signal(SIGBUS, SIG_DFL);  // sanitizers have a handler
    const auto path = dir / "a.ckpt";
    {
      Writer writer{path, {.durable = false}};
      writer.add("a", DType::u8, {static_cast<std::int64_t>(kBytes)}, random_bytes(kBytes, 1));
      writer.commit();
    }
    const Reader reader = Reader::open(path, {.mode = mode, .copy_on_write = mode == ReadMode::mmap});
    const TensorView view = reader.tensor("a");
    std::filesystem::resize_file(path, 5000);
    return then(reader, view);
  });
}

std::string touch(std::span<const std::byte> bytes) {
  return *static_cast<const volatile std::byte*>(&bytes[bytes.size() - 1]) == std::byte{} ? "zero" : "a byte";
}

std::string code_and_advice(const std::optional<Error>& error) {
  if (!error) return "no error";
  if (error->details().advice.empty() || error->details().file.empty()) return "no advice";
  return std::string{to_string(error->code())};
}

}  // namespace

TEST_CASE("touching a mapping of a file that was truncated is a signal") {
  CHECK(shrink(ReadMode::mmap, [](const Reader&, const TensorView& view) { return touch(view.bytes()); }).signal ==
        SIGBUS);
  const auto touch_copy = [](const Reader& reader, const TensorView&) {
    return touch({reader.private_mapping().get() + 100'000, 1});
  };
  CHECK(shrink(ReadMode::mmap, touch_copy).signal == SIGBUS);
}

TEST_CASE("verifying a mapped file that was truncated is an error") {
  const ChildResult result = shrink(ReadMode::mmap, [](const Reader& reader, const TensorView&) {
    return code_and_advice(error_of([&] { static_cast<void>(reader.verify()); }));
  });
  CHECK(result.signal == 0);
  CHECK(result.text == "io");
}

TEST_CASE("reading a file that was truncated is an error, and what was read before stays") {
  const ChildResult result = shrink(ReadMode::read, [](const Reader& reader, const TensorView& view) -> std::string {
    if (to_vector(view.bytes()) != random_bytes(kBytes, 1)) return "the copy has changed";
    const std::string again = code_and_advice(error_of([&] { static_cast<void>(reader.tensor("a")); }));
    const VerifyReport report = reader.verify();
    return report.ok() ? "verified" : again + ", " + std::string{to_string(report.problems.front().code())};
  });
  CHECK(result.signal == 0);
  CHECK(result.text == "corrupt, corrupt");
}

TEST_CASE("a file that was truncated is refused when it is opened") {
  for (const ReadMode mode : {ReadMode::mmap, ReadMode::read}) {
    const ChildResult result = shrink(mode, [&](const Reader& reader, const TensorView&) {
      return code_and_advice(
          error_of([&] { static_cast<void>(Reader::open(reader.path(), {.mode = mode, .verify = Verify::full})); }));
    });
    CHECK(result.text == "corrupt");
  }
}
