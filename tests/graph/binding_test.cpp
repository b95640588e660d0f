#include "objects.hpp"

#include <support/file_image.hpp>

#include <filesystem>
#include <fstream>
#include <string>

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::int64_t kElements = 10'000;

void write_weights(const std::filesystem::path& file, Compression compression = Compression::none) {
  Variable<float> w{{kElements}, [](std::span<float> out) {
                      for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(i % 100);
                    }};
  SaveOptions options = quick();
  options.writer.compression = compression;
  Checkpoint{{"w", w}}.write(file, options);
}

void check_weights(const Variable<float>& w) {
  REQUIRE(w.values().size() == kElements);
  for (std::size_t i = 0; i < kElements; ++i) {
    if (w.values()[i] != static_cast<float>(i % 100)) FAIL("element " << i << " is " << w.values()[i]);
  }
}

/// The file behind an address, from the process's list of mappings; with "private" or "shared" before it.
std::string mapping_of(const void* address) {
  std::ifstream maps{"/proc/self/maps"};
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  for (std::string line; std::getline(maps, line);) {
    std::size_t used = 0;
    const std::uintptr_t from = std::stoull(line, &used, 16);
    const std::uintptr_t to = std::stoull(line.substr(used + 1), nullptr, 16);
    if (wanted >= from && wanted < to) return line;
  }
  return {};
}

int open_descriptors_of(const std::filesystem::path& directory) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
    std::error_code failed;
    const auto target = std::filesystem::read_symlink(entry.path(), failed);
    if (!failed && contains(target.string(), directory.string())) ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("a view lies in the file's mapping", "[graph][binding]") {
  TempDir dir;
  write_weights(dir / "a.ckpt");
  const bool deferred = GENERATE(false, true);
  Box root;
  Variable<float> w;
  if (!deferred) w = root.add_variable<float>("w", {kElements});
  Checkpoint checkpoint{root};
  checkpoint.read(dir / "a.ckpt", {.binding = Binding::view, .mode = ReadMode::mmap});
  if (deferred) w = root.add_variable<float>("w", {kElements});
  check_weights(w);
  CHECK(w.read_only());
  CHECK(contains(mapping_of(w.values().data()), "a.ckpt"));
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, w.mutable_values());
  // Restoring a copy gives it memory of its own again.
  checkpoint.read(dir / "a.ckpt");
  w.mutable_values()[0] = 5;
  CHECK(!contains(mapping_of(w.values().data()), "a.ckpt"));
}

TEST_CASE("copy-on-write changes this variable and nothing else", "[graph][binding]") {
  TempDir dir;
  write_weights(dir / "a.ckpt");
  const Bytes before = read_file(dir / "a.ckpt");
  const bool deferred = GENERATE(false, true);
  Box root;
  Variable<float> w;
  if (!deferred) w = root.add_variable<float>("w", {kElements});
  Checkpoint checkpoint{root};
  checkpoint.read(dir / "a.ckpt", {.binding = Binding::copy_on_write, .mode = ReadMode::mmap});
  if (deferred) w = root.add_variable<float>("w", {kElements});
  check_weights(w);
  CHECK(!w.read_only());
  const std::string mapping = mapping_of(w.values().data());
  CHECK(contains(mapping, "a.ckpt"));
  CHECK(contains(mapping, "rw-p"));
  w.mutable_values()[7] = -1;
  CHECK(w.values()[7] == -1);
  CHECK(read_file(dir / "a.ckpt") == before);
  Variable<float> other{{kElements}};
  Checkpoint{{"w", other}}.read(dir / "a.ckpt");
  check_weights(other);
}

TEST_CASE("copy-on-write of tensors that a hostile file has in one place", "[graph][binding]") {
  TempDir dir;
  constexpr std::int64_t kSize = 128;
  Variable<float> variable{{kSize}};
  Variable<float> other{{kSize}};
  Variable<float> third{{kSize}};
  Checkpoint{{"a", variable}, {"b", other}, {"c", third}}.write(dir / "a.ckpt", quick());
  FileImage image{dir / "a.ckpt"};
  const auto place = [&](const char* path) { return image.tensor(image.find(path)) + at::kBlobOffset; };
  const auto shift = GENERATE(std::uint64_t{0}, std::uint64_t{256});
  image.set(place("b"), image.get<std::uint64_t>(place("a")) + shift);
  image.set(place("c"), image.get<std::uint64_t>(place("a")));
  image.seal_all();
  image.store(dir / "a.ckpt");
  const bool deferred = GENERATE(false, true);
  Box root;
  std::vector<Variable<float>> variables;
  const auto add = [&] {
    for (const char* name : {"c", "a", "b"}) variables.push_back(root.add_variable<float>(name, {kSize}));
  };
  if (!deferred) add();
  Checkpoint checkpoint{root};
  checkpoint.read(dir / "a.ckpt", {.binding = Binding::copy_on_write, .mode = ReadMode::mmap});
  if (deferred) add();
  for (std::size_t i = 0; i < 3; ++i) {
    for (float& value : variables[i].mutable_values()) value = static_cast<float>(i + 1);
  }
  for (std::size_t i = 0; i < 3; ++i) {
    for (const float value : variables[i].values()) REQUIRE(value == static_cast<float>(i + 1));
  }
}

TEST_CASE("copying keeps the memory that the variable has", "[graph][binding]") {
  TempDir dir;
  write_weights(dir / "a.ckpt");
  Variable<float> w{{kElements}};
  const float* address = w.values().data();
  Checkpoint checkpoint{{"w", w}};
  checkpoint.read(dir / "a.ckpt");
  CHECK(w.values().data() == address);
  check_weights(w);
}

TEST_CASE("lent memory is always copied into", "[graph][binding]") {
  TempDir dir;
  write_weights(dir / "a.ckpt");
  std::vector<float> memory(kElements);
  auto w = Variable<float>::wrap({kElements}, memory);
  Checkpoint checkpoint{{"w", w}};
  checkpoint.read(dir / "a.ckpt", {.binding = GENERATE(Binding::copy, Binding::view, Binding::copy_on_write)});
  CHECK(memory[99] == 99);
  CHECK(w.values().data() == memory.data());
}

TEST_CASE("every binding works for compressed tensors and in read mode", "[graph][binding]") {
  TempDir dir;
  const Binding binding = GENERATE(Binding::copy, Binding::view, Binding::copy_on_write);
  const Compression compression = GENERATE(Compression::none, Compression::zstd);
  const ReadMode mode = GENERATE(ReadMode::mmap, ReadMode::read);
  write_weights(dir / "a.ckpt", compression);
  Box root;
  auto w = root.add_variable<float>("w", {kElements});
  Checkpoint checkpoint{root};
  checkpoint.read(dir / "a.ckpt", {.binding = binding, .mode = mode}).assert_consumed();
  check_weights(w);
  Box late;
  Checkpoint deferred{late};
  deferred.read(dir / "a.ckpt", {.binding = binding, .mode = mode});
  w = late.add_variable<float>("w", {kElements});
  check_weights(w);
  if (binding != Binding::view) w.mutable_values()[0] = 1;
}

TEST_CASE("tied tensors do not share what is written to one", "[graph][binding]") {
  TempDir dir;
  {
    Writer writer{dir / "a.ckpt", {.durable = false}};
    const float values[] = {1, 2, 3};
    writer.add<float>("a", {3}, values);
    writer.alias("b", "a");
    writer.commit();
  }
  Variable<float> a{{3}};
  Variable<float> b{{3}};
  Checkpoint checkpoint{{"a", a}, {"b", b}};
  checkpoint.read(dir / "a.ckpt", {.binding = Binding::copy_on_write}).assert_consumed();
  a.mutable_values()[0] = 9;
  CHECK(b.values()[0] == 1);
  b.mutable_values()[1] = 8;
  CHECK(a.values()[1] == 2);
}

TEST_CASE("the file may be deleted while values wait", "[graph][binding][deferred]") {
  TempDir dir;
  write_weights(dir / "a.ckpt", GENERATE(Compression::none, Compression::zstd));
  Box root;
  Checkpoint checkpoint{root};
  const Binding binding = GENERATE(Binding::copy, Binding::view);
  const auto status = checkpoint.read(dir / "a.ckpt", {.binding = binding, .mode = ReadMode::mmap});
  std::filesystem::remove(dir / "a.ckpt");
  check_weights(root.add_variable<float>("w", {kElements}));
  status.assert_consumed();
}

TEST_CASE("no descriptor stays open when nothing waits any more",
          "[graph][binding][test_ckpt_files_closed_after_restoration]") {
  TempDir dir;
  write_weights(dir / "a.ckpt");
  Box root;
  Checkpoint checkpoint{root};
  const Binding binding = GENERATE(Binding::copy, Binding::view, Binding::copy_on_write);
  const auto status = checkpoint.read(dir / "a.ckpt", {.binding = binding, .mode = ReadMode::mmap});
  CHECK(open_descriptors_of(dir.path()) == 1);
  const auto w = root.add_variable<float>("w", {kElements});
  check_weights(w);
  CHECK(open_descriptors_of(dir.path()) == 0);
}

TEST_CASE("the counter can be written to after everything was restored as views", "[graph][binding]") {
  TempDir dir;
  Variable<float> v{1};
  Checkpoint{{"v", v}}.save(dir / "c", quick());
  Checkpoint checkpoint{{"v", v}};
  for (int i = 1; i < 4; ++i) {
    checkpoint.restore(dir / ("c-" + std::to_string(i) + ".ckpt"), {.binding = Binding::view}).assert_consumed();
    CHECK(checkpoint.save(dir / "c", quick()) == dir / ("c-" + std::to_string(i + 1) + ".ckpt"));
  }
}

TEST_CASE("a second object gets neither what the first one wrote nor what it was given", "[graph][binding][deferred]") {
  TempDir dir;
  {
    Box n;
    Box parent;
    n.add("w", 5);
    parent.track("n", n);
    Checkpoint{{"n", n}, {"parent", parent}}.write(dir / "a.ckpt", quick());
  }
  Checkpoint checkpoint;
  const auto status = checkpoint.read(dir / "a.ckpt", {.binding = Binding::copy_on_write});
  status.expect_partial();
  {
    Box n;
    checkpoint.track("n", n);
    auto w = n.add("w", 0);
    CHECK(w.value() == 5);
    w = 77;
  }
  Box n;
  auto w = n.add("w", 0);
  SECTION("under the same name") { checkpoint.track("n", n); }
  SECTION("under another name, as part of what still waits") {
    Box parent;
    parent.track("n", n);
    checkpoint.track("parent", parent);
  }
  CHECK(w.value() == 0);
}
