// Restoring without memory: each allocation fails in turn. After an exception nothing was added or changed, and a
// second try works. And what needs hardly any: a saver that remembers its objects, renames that name none.
#include "saving.hpp"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <new>
#include <optional>

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr long kNoLimit = -1;

/// Allocations of this thread that succeed before one fails.
thread_local long left = kNoLimit;
thread_local bool failed = false;
thread_local long taken = 0;
thread_local std::size_t largest = 0;

void* take(std::size_t size, std::size_t alignment) {
  if (left == 0) {
    left = kNoLimit;  // the exception needs memory, too
    failed = true;
    throw std::bad_alloc{};
  }
  if (left > 0) --left;
  ++taken;
  largest = std::max(largest, size);
  const std::size_t rounded = (size + alignment) / alignment * alignment;
  if (void* memory = std::aligned_alloc(alignment, rounded)) return memory;
  throw std::bad_alloc{};
}

}  // namespace

void* operator new(std::size_t size) { return take(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return take(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size + 1); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace {

/// Makes the program anew for each allocation of its act() and lets that one fail.
void fail_each(const std::function<void(long)>& attempt) {
  long n = 0;
  do {
    CAPTURE(n);
    failed = false;
    attempt(n++);
  } while (failed);
  CHECK(n > 5);  // else nothing was tried
}

/// Whether `act` threw, with allocation number `n` failing.
bool throws_without_memory(long n, const std::function<void()>& act) {
  left = n;
  try {
    act();
  } catch (const std::exception&) {
    left = kNoLimit;
    return true;
  }
  left = kNoLimit;
  return false;
}

/// Two layers, of which the first has a slot.
struct Program {
  Box a;
  Box b;
  Box optimizer;
  Checkpoint checkpoint;
};

void write_program(const std::filesystem::path& prefix) {
  Program program;
  program.optimizer.add_slot<float>(program.a.add("w", 3), "m", 3.0F);
  program.a.add("v", 3);
  program.b.add("w", 3);
  program.b.add("v", 3);
  program.checkpoint.track("a", program.a);
  program.checkpoint.track("b", program.b);
  program.checkpoint.track("optimizer", program.optimizer);
  program.checkpoint.save(prefix, quick());
}

// A thousand variables, and what memory it takes to hand them to a saver.
struct Saving {
  Saving() {
    for (int i = 0; i < 1000; ++i) weights.push_back(Variable<float>{1});
  }

  long allocations_of_save() {
    const long before = taken;
    const PendingSave save = saver.write(file, quick(SaveMode::hand_off));
    const long after = taken;
    save.durable();
    return after - before;
  }

  // In bytes.
  std::size_t largest_of_save() {
    largest = 0;
    const PendingSave save = saver.write(file, quick(SaveMode::hand_off));
    const std::size_t found = largest;
    save.durable();
    return found;
  }

  TempDir dir;
  std::filesystem::path file = dir / "a.ckpt";
  List<Variable<float>> weights;
  Checkpoint checkpoint{{"weights", weights}};
  AsyncSaver saver{checkpoint};
};

}  // namespace

TEST_CASE("restore without memory", "[graph][allocation]") {
  TempDir dir;
  write_program(dir / "c");
  RestoreOptions options;
  SECTION("by names") {}
  SECTION("by rules") {
    options.renames = {{"b", "b"}};
    options.on_mismatch = {{"a", OnMismatch::cast}};
  }
  SECTION("as views") { options.binding = Binding::view; }
  fail_each([&](long n) {
    Program program;
    const auto aw = program.a.add("w", 0);
    const auto av = program.a.add("v", 0);
    const auto bw = program.b.add("w", 0);
    const auto bv = program.b.add("v", 0);
    const auto slot = program.optimizer.add_slot<float>(aw, "m", 0.0F);
    program.checkpoint.track("a", program.a);
    program.checkpoint.track("b", program.b);
    program.checkpoint.track("optimizer", program.optimizer);
    const auto sum = [&] { return aw.value() + av.value() + bw.value() + bv.value() + slot.value(); };
    if (throws_without_memory(n, [&] { program.checkpoint.restore(dir / "c-1.ckpt", options); })) CHECK(sum() == 0);
    program.checkpoint.restore(dir / "c-1.ckpt", options).assert_consumed();
    CHECK(sum() == 15);
  });
}

TEST_CASE("track without memory, when values wait", "[graph][allocation]") {
  TempDir dir;
  write_program(dir / "c");
  fail_each([&](long n) {
    Program program;
    const auto w = program.a.add("w", 0);
    const auto v = program.a.add("v", 0);
    const auto status = program.checkpoint.restore(dir / "c-1.ckpt");
    status.expect_partial();
    const Paths before = status.pending();
    const auto track = [&] { program.checkpoint.track("a", program.a); };
    if (throws_without_memory(n, track)) {
      CHECK(w.value() + v.value() == 0);
      CHECK(status.pending() == before);
      program.checkpoint.write(dir / "without.ckpt", quick());
      CHECK(paths_in(dir / "without.ckpt") == Paths{"save_counter"});
      track();
    }
    CHECK(w.value() + v.value() == 6);
    CHECK(status.pending() == Paths{"b/v", "b/w", "optimizer/m/a/w"});
  });
}

TEST_CASE("add_variable without memory, when a value waits", "[graph][allocation]") {
  TempDir dir;
  write_program(dir / "c");
  fail_each([&](long n) {
    Program program;
    program.checkpoint.track("a", program.a);
    const auto status = program.checkpoint.restore(dir / "c-1.ckpt");
    status.expect_partial();
    const Paths before = status.pending();
    Variable<float> w;
    const auto add = [&] { w = program.a.add("w", 0); };
    if (throws_without_memory(n, add)) {
      CHECK(status.pending() == before);
      add();
    }
    CHECK(w.value() == 3);
    CHECK(status.unmatched_in_file() == Paths{"a/v", "b/v", "b/w", "optimizer/m/a/w"});
  });
}

TEST_CASE("add_slot without memory, when a value waits", "[graph][allocation]") {
  TempDir dir;
  write_program(dir / "c");
  fail_each([&](long n) {
    Program program;
    const auto w = program.a.add("w", 0);
    program.checkpoint.track("a", program.a);
    program.checkpoint.track("optimizer", program.optimizer);
    const auto status = program.checkpoint.restore(dir / "c-1.ckpt");
    status.expect_partial();
    Variable<float> slot;
    const auto add = [&] { slot = program.optimizer.add_slot<float>(w, "m", 0.0F); };
    if (throws_without_memory(n, add)) add();
    CHECK(slot.value() == 3);
    CHECK(status.unmatched_in_file() == Paths{"a/v", "b/v", "b/w"});
  });
}

TEST_CASE("a status that is held costs the next save nothing, when nothing waits", "[graph][async][allocation]") {
  Saving saving;
  saving.allocations_of_save();
  const long without = saving.allocations_of_save();
  const RestoreStatus status = saving.checkpoint.read(saving.file).assert_consumed();
  CHECK(saving.allocations_of_save() == without);
}

// Each path is split once, and not for each pattern.
TEST_CASE("many renames take no memory for each variable", "[graph][restore][rename][allocation]") {
  constexpr long kVariables = 300;
  constexpr long kRules = 100;
  TempDir dir;
  List<Variable<float>> weights;
  for (long i = 0; i < kVariables; ++i) weights.push_back(Variable<float>{1});
  Checkpoint checkpoint{{"weights", weights}};
  checkpoint.write(dir / "a.ckpt", quick());
  const auto allocations = [&](long rules) {
    RestoreOptions options;
    for (long i = 0; i < rules; ++i) {
      const std::string name = std::to_string(i);
      options.renames.push_back({"weights/*/" + name, "w/*/" + name});
      options.renames.push_back({"weights/*" + name + "x", "w*" + name});
      options.on_mismatch.push_back({"weights/*" + name + "x", OnMismatch::skip});
    }
    const long before = taken;
    checkpoint.read(dir / "a.ckpt", options).expect_partial();
    return taken - before;
  };
  allocations(1);
  CHECK(allocations(kRules) - allocations(1) < kVariables * kRules / 2);
}

TEST_CASE("a saver remembers its objects, whatever becomes of others", "[graph][async][allocation]") {
  Saving saving;
  const long first = saving.allocations_of_save();
  CHECK(saving.allocations_of_save() < first / 50);
  Box{}.add("v", 1);
  CHECK(saving.allocations_of_save() < first / 50);
  saving.weights.push_back(Variable<float>{1});
  CHECK(saving.allocations_of_save() > first / 2);
}

TEST_CASE("a save leaves the memory of its list to the next one", "[graph][async][allocation]") {
  constexpr std::size_t kList = 1000 * sizeof(Shape);  // at least
  Saving saving;
  CHECK(saving.largest_of_save() >= kList);
  CHECK(saving.largest_of_save() < kList);
  CHECK(saving.largest_of_save() < kList);
  saving.saver.release_staging();
  CHECK(saving.largest_of_save() >= kList);
}
