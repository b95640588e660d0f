// The Nth allocation fails, once and for ever: an error each time, no abort, nothing leaks, the old file is intact.
// Struck are operator new, in the library and in all that it is linked with, and the library's aligned_alloc; what zstd
// takes with malloc is not.
#include <ckpt/ckpt.hpp>

#include <catch2/catch.hpp>
#include <support/errors.hpp>
#include <support/files.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <new>

namespace {

std::atomic<std::int64_t> live{0};   // blocks from operator new
std::atomic<std::int64_t> left{-1};  // allocations until one fails; negative: none will
std::atomic<bool> for_ever{false};
std::atomic<bool> fired{false};

bool strikes() {
  const std::int64_t before = left.load();
  if (before < 0) return false;
  if (before == 0) {
    if (!for_ever) left = -1;
    fired = true;
    return true;
  }
  --left;
  return false;
}

[[gnu::noinline]] void* take(std::size_t size) noexcept {
  if (strikes()) return nullptr;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory != nullptr) ++live;
  return memory;
}

[[gnu::noinline]] void give(void* memory) noexcept {
  if (memory == nullptr) return;
  --live;
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) {
  if (void* memory = take(size)) return memory;
  throw std::bad_alloc{};
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return take(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return take(size); }
// GCC takes free() in what it has put inline for a mistake.
void operator delete(void* memory) noexcept { give(memory); }
void operator delete[](void* memory) noexcept { give(memory); }
void operator delete(void* memory, std::size_t) noexcept { give(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { give(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { give(memory); }

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" void* __real_aligned_alloc(std::size_t, std::size_t);
extern "C" void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size) {
  return strikes() ? nullptr : __real_aligned_alloc(alignment, size);
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

using namespace ckpt;
using namespace ckpt::test;
namespace fs = std::filesystem;

namespace {

struct Operation {
  std::function<void()> run;
  std::function<bool(bool ok)> is_sound;  // afterwards
};

// `prepare` makes the world in a new directory.
void strike_all(const std::string& name, const std::function<Operation(const fs::path&)>& prepare) {
  std::int64_t most = 0;
  int failed = 0;
  {
    const TempDir dir;  // what is taken once in a process
    const Operation operation = prepare(dir.path());
    operation.run();
  }
  for (const bool ever : {false, true}) {
    for (std::int64_t n = 0;; ++n) {
      const TempDir dir;
      const Operation operation = prepare(dir.path());
      const char* other = nullptr;
      bool ok = false;
      const std::int64_t before = live;
      fired = false;
      for_ever = ever;
      left = n;
      try {
        operation.run();
        ok = true;
      } catch (const std::bad_alloc&) {
      } catch (const Error&) {
      } catch (...) {
        other = "an exception of another kind";
      }
      left = -1;
      const std::int64_t after = live;
      INFO(name << ", allocation " << n + 1 << (ever ? " and all later ones" : "") << (ok ? ", survived" : ""));
      REQUIRE(other == nullptr);
      REQUIRE(after == before);
      REQUIRE(operation.is_sound(ok));
      REQUIRE(temporaries_in(dir.path()) == 0);
      operation.run();
      REQUIRE(operation.is_sound(true));
      if (!ok) ++failed;
      if (!fired) {
        REQUIRE(ok);
        break;
      }
      most = std::max(most, n + 1);
    }
  }
  std::cout << name << ": " << most << " allocations, " << failed << " runs failed" << std::endl;
  CHECK(failed > 0);
}

double value_in(const fs::path& path) {
  const TensorView view = Reader::open(path, {.verify = Verify::full}).tensor("v");
  return view.as<double>()[0];
}

WriterOptions quick() {
  WriterOptions options;
  options.durable = false;
  options.compression = Compression::zstd;
  return options;
}

void write(const fs::path& path, double value) {
  Writer writer{path, quick()};
  writer.add("bytes", DType::u8, {70'000}, smooth_bytes(70'000, 1));
  writer.add<double>("v", {}, std::span{&value, 1});
  writer.set_metadata("note", std::string(100, 'x'));
  writer.commit();
}

}  // namespace

TEST_CASE("the Nth allocation of a save fails") {
  strike_all("save", [](const fs::path& dir) {
    const fs::path path = dir / "a.ckpt";
    write(path, 1);
    return Operation{[=] { write(path, 2); },
                     [=](bool ok) { return value_in(path) == 2 || (!ok && value_in(path) == 1); }};
  });
}

TEST_CASE("the Nth allocation of opening and verifying fails") {
  strike_all("open", [](const fs::path& dir) {
    const fs::path path = dir / "a.ckpt";
    write(path, 1);
    return Operation{[=] {
                       const Reader reader = Reader::open(path, {.mode = ReadMode::read, .verify = Verify::lazy});
                       static_cast<void>(bytes_of(reader.tensor("bytes")));
                       if (!reader.verify().ok()) throw std::runtime_error("a whole file is taken for a damaged one");
                     },
                     [=](bool) { return value_in(path) == 1; }};
  });
}

TEST_CASE("the Nth allocation of a restore fails") {
  strike_all("restore", [](const fs::path& dir) {
    const fs::path path = dir / "a.ckpt";
    write(path, 1);
    auto value = std::make_shared<Variable<double>>(7);
    return Operation{[=] {
                       value->set(7);
                       Checkpoint checkpoint{{"v", *value}};
                       checkpoint.read(path).expect_partial();
                     },
                     [=](bool ok) { return value->value() == 1 || (!ok && value->value() == 7); }};
  });
}
