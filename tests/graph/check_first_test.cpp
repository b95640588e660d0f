// Restoring with RestoreOptions::check_first off: values go straight into variables, and are checked on the way.
#include "objects.hpp"

#include <support/child.hpp>
#include <support/file_image.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::int64_t kLarge = 3 << 18;  // three chunks of floats

// Every kind of variable that a value can come to, with values that depend on `seed`.
struct Model {
  explicit Model(float seed)
      : lent(1000, seed), flag{seed > 1}, text{std::string(static_cast<std::size_t>(seed), 'x')} {
    const auto values = large.mutable_values();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = seed * static_cast<float>(i % 77);
  }

  Variable<float> large{Shape{kLarge}};
  std::vector<float> lent;
  Variable<float> wrapped = Variable<float>::wrap({1000}, lent);
  Variable<bool> flag;
  Variable<std::string> text;
  Variable<float> empty{Shape{0}};
  Checkpoint checkpoint{{"a", large}, {"b", wrapped}, {"c", flag}, {"d", text}, {"e", empty}};
};

SaveOptions reproducible(Compression compression) {
  SaveOptions options = quick();
  options.writer.uuid = Uuid{};
  options.writer.created_ns = 0;
  options.writer.compression = compression;
  return options;
}

// Changes the last byte of a tensor.
void damage(const std::filesystem::path& file, std::string_view path) {
  FileImage image{file};
  const std::size_t record = image.tensor(image.find(path));
  const auto end =
      image.get<std::uint64_t>(record + at::kBlobOffset) + image.get<std::uint64_t>(record + at::kBlobSize);
  image.bytes().at(end - 1) ^= std::byte{1};
  image.store(file);
}

}  // namespace

TEST_CASE("without the check first, the same values come", "[graph][restore]") {
  const TempDir dir;
  const auto compression = GENERATE(Compression::none, Compression::zstd);
  const auto mode = GENERATE(ReadMode::mmap, ReadMode::read);
  const auto verify = GENERATE(Verify::none, Verify::lazy, Verify::full);
  const auto binding = GENERATE(Binding::copy, Binding::view, Binding::copy_on_write);
  Model saved{3};
  saved.checkpoint.write(dir / "a.ckpt", reproducible(compression));
  Model model{1};
  const RestoreOptions options{.binding = binding, .verify = verify, .mode = mode, .check_first = false};
  for (int i = 0; i < 2; ++i) {  // the second time over what the first has bound
    model.checkpoint.read(dir / "a.ckpt", options).assert_consumed();
    model.checkpoint.write(dir / "b.ckpt", reproducible(compression));
    CHECK(read_file(dir / "a.ckpt") == read_file(dir / "b.ckpt"));
  }
  CHECK(model.lent == std::vector<float>(1000, 3.0F));
}

TEST_CASE("without the check first, a difference changes nothing all the same", "[graph][restore]") {
  const TempDir dir;
  Model saved{3};
  saved.checkpoint.write(dir / "a.ckpt", quick());
  Model model{1};
  Variable<double> other{Shape{5}};
  Checkpoint checkpoint{{"a", model.large}, {"b", model.wrapped}, {"e", other}};
  CKPT_CHECK_CODE(ErrorCode::mismatch, checkpoint.read(dir / "a.ckpt", {.check_first = false}));
  CHECK(model.lent == std::vector<float>(1000, 1.0F));
  CHECK(model.large.values()[1] == 1.0F);
}

TEST_CASE("without the check first, damage is an error that says what variables hold", "[graph][restore]") {
  const TempDir dir;
  const auto mode = GENERATE(ReadMode::mmap, ReadMode::read);
  Model saved{3};
  saved.checkpoint.write(dir / "good.ckpt", quick());
  saved.checkpoint.write(dir / "bad.ckpt", quick());
  damage(dir / "bad.ckpt", "a");
  for (const bool check_first : {true, false}) {
    Model model{1};
    CKPT_REQUIRE_ERROR(
        error, ErrorCode::corrupt,
        model.checkpoint.read(dir / "bad.ckpt", {.verify = Verify::lazy, .mode = mode, .check_first = check_first}));
    CHECK(error.details().file == dir / "bad.ckpt");
    CHECK(error.details().object == "a");
    CHECK(contains(error.what(), "damaged data: chunk 3 of 3"));
    CHECK_FALSE(contains(error.what(), "changed while"));
    CHECK(contains(error.what(), "variables hold a part of its values now") == !check_first);
    // The first two chunks were whole.
    CHECK((model.large.values()[1] == 3.0F) == !check_first);
    model.checkpoint.read(dir / "good.ckpt", {.check_first = check_first}).assert_consumed();
    CHECK(model.large.values()[1] == 3.0F);
    CHECK(model.lent == std::vector<float>(1000, 3.0F));
  }
}

TEST_CASE("without the check first, explicit reads take no second copy", "[graph][restore][memory]") {
  const TempDir dir;
  constexpr std::int64_t kBytes = std::int64_t{96} << 20U;
  {
    const Variable<std::uint8_t> variable{Shape{kBytes}};
    Checkpoint{{"a", variable}}.write(dir / "a.ckpt", quick());
  }
  const auto grown_mib = [&](bool check_first) {
    return std::stol(run_child([&] {
                       Variable<std::uint8_t> variable{Shape{kBytes}};
                       std::ranges::fill(variable.mutable_values(), std::uint8_t{1});
                       Checkpoint checkpoint{{"a", variable}};
                       const auto peak = [] {
                         struct rusage usage{};
                         ::getrusage(RUSAGE_SELF, &usage);
                         return usage.ru_maxrss;
                       };
                       const long before = peak();
                       checkpoint.read(dir / "a.ckpt", {.mode = ReadMode::read, .check_first = check_first});
                       return std::to_string((peak() - before) >> 10U);
                     }).text);
  };
  CHECK(grown_mib(true) >= 80);
  CHECK(grown_mib(false) <= 60);
}
