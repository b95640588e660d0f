// The Nth allocation fails, once and for ever, while managers and savers work, on their threads, too: an error or
// std::bad_alloc, nothing leaks, no checkpoint is lost, and the next save works.
#include "allocations.hpp"
#include "operations.hpp"

#include <ckpt/garbage.hpp>

#include <catch2/catch.hpp>
#include <support/temp_dir.hpp>

#include <iostream>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>

using namespace ckpt;
using namespace ckpt::test;
namespace fs = std::filesystem;

namespace {

// Runs the operation and judges it; what is wrong, or nothing.
std::string strike_once(Operation& operation, std::int64_t n, bool ever, Struck& struck) {
  try {
    const FailingAllocations fail{n, ever};
    operation.run();
  } catch (const Error& error) {
    struck.error = error;
  } catch (const std::bad_alloc&) {
    struck.other = "no memory";
  } catch (...) {
    return "an exception of another kind";
  }
  if (!allocation_failed() && !struck.ok()) return "it fails though nothing was struck";
  return operation.judge(struck);
}

// `make(dir)` gives a std::unique_ptr<Operation>.
template <typename Make>
void strike_allocations(const std::string& name, const Make& make) {
  const QuietLog quiet;
  {
    const TempDir dir{memory_dir()};  // what is taken once in a process
    make(dir.path())->run();
  }
  std::int64_t most = 0;
  int failed = 0;
  for (const bool ever : {false, true}) {
    bool fired = true;
    for (std::int64_t n = 0; fired; ++n) {
      const TempDir dir{memory_dir()};
      std::string wrong;
      std::string what(4096, ' ');  // room that is there before blocks are counted
      bool ok = true;
      const std::int64_t before = live_blocks();
      {
        Struck struck;
        const auto operation = make(dir.path());
        wrong = strike_once(*operation, n, ever, struck);
        ok = struck.ok();
        what = std::string_view{struck.error ? struck.error->what() : ""}.substr(0, what.size());
      }
      const std::int64_t after = live_blocks();
      fired = allocation_failed();
      INFO(name << ", allocation " << n + 1 << (ever ? " and all later ones" : "") << (ok ? ", survived" : "") << ' '
                << what);
      REQUIRE(wrong == "");
      REQUIRE(after == before);
      if (!ok) ++failed;
      if (fired) most = std::max(most, n + 1);
    }
  }
  std::cout << name << ": " << most << " allocations, " << failed << " runs failed" << std::endl;
  CHECK(failed > 0);
}

// A save by a manager that lives on.
class Next : public Operation {
 public:
  Next(const fs::path& dir, bool background) : dir_{dir}, background_{background}, program_{dir} {
    program_.manager.save();
    program_.manager.save();
  }
  void run() override {
    program_.value = 2;
    if (background_) {
      program_.manager.save_async().pending.durable();
    } else {
      program_.manager.save();
    }
  }
  std::string judge(const Struck& struck) override {
    if (struck.ok() && scalar_in(*program_.manager.latest()) != 2) return "it returned and the newest is the old one";
    if (temporaries_in(dir_) != 0) return "a temporary remains";
    program_.value = 3;
    const fs::path path = *program_.manager.save().path;
    program_.manager.wait_for_deletions();
    if (scalar_in(path) != 3 || program_.manager.latest() != path) return "the next save is not the newest";
    const auto files = program_.manager.checkpoints();
    if (files.size() != 2 || !fs::exists(files[0])) return "the list is wrong";
    std::size_t found = 0;
    for (const std::string& name : names_in(dir_)) found += name.ends_with(".ckpt") ? 1U : 0U;
    return found == 2 ? "" : "files are left that nobody lists";
  }

 private:
  fs::path dir_;
  bool background_;
  Program program_;
};

// A save in the background that takes the next number, but not when it does not begin.
class Numbered : public Operation {
 public:
  explicit Numbered(const fs::path& dir) : dir_{dir} { checkpoint_.save_counter(); }
  void run() override {
    AsyncSaver saver{checkpoint_};
    const PendingSave save = saver.save(dir_ / "c");
    ++begun_;
    save.durable();
  }
  std::string judge(const Struck& struck) override {
    if (checkpoint_.save_counter().value() != begun_) return "the counter does not say how many saves began";
    if (struck.ok() && !fs::exists(dir_ / "c-1.ckpt")) return "it returned and there is no file";
    run();
    return fs::exists(dir_ / ("c-" + std::to_string(begun_) + ".ckpt")) ? "" : "the next try has another number";
  }

 private:
  fs::path dir_;
  std::int64_t begun_ = 0;
  Variable<double> value_{1};
  Checkpoint checkpoint_{{"v", value_}};
};

// Cleans up after a run that keeps two checkpoints and was killed: a third, a temporary, and a pin of none are left.
class Clean : public Operation {
 public:
  explicit Clean(const fs::path& dir) : dir_{dir} {
    {
      Program program{dir_};
      for (int i = 1; i <= 3; ++i) {
        program.value = i;
        program.manager.save();
        if (i == 1) program.manager.pin(1);
      }
    }
    fs::remove(dir_ / "ckpt-1.ckpt.pin");
    write_file(dir_ / "ckpt-0.ckpt.pin", "x");
    write_file(dir_ / kTemporary, "x");
  }
  void run() override { collect_garbage(dir_, {.apply = true}); }
  std::string judge(const Struck& struck) override {
    if (scalar_in(dir_ / "ckpt-2.ckpt") != 2 || scalar_in(dir_ / "ckpt-3.ckpt") != 3) return "the wrong one is gone";
    if (struck.ok() && !is_clean()) return "it returned and garbage is left";
    run();
    if (!is_clean()) return "the next try leaves garbage";
    Program program{dir_};
    return program.restore() == 3 ? "" : "the newest is not restored";
  }

 private:
  static constexpr const char* kTemporary = ".ckpt-4.ckpt.0123456789abcdef.tmp";
  bool is_clean() const {
    return names_in(dir_) == std::vector<std::string>{".ckpt.lock", "ckpt-2.ckpt", "ckpt-3.ckpt", "ckpt.state"};
  }
  fs::path dir_;
};

// From its last call in a restore on there is no memory.
struct Starving : Trackable {
  Variable<double> v = add_variable<double>("v", {});
  std::optional<FailingAllocations> fail;

 private:
  void after_restore() override { fail.emplace(0, true); }
};

}  // namespace

TEST_CASE("a restore that has been done does not fail for a line of the log") {
  const QuietLog quiet;
  const TempDir dir{memory_dir()};
  Variable<std::int64_t> step{7};
  const ManagerOptions options{.step_counter = step, .checkpoint_interval = 10};
  Starving object;
  {
    Checkpoint checkpoint{{"object", object}, {"step", step}};
    CheckpointManager{checkpoint, dir.path(), options}.save();
  }
  step = 0;
  Variable<double> without{0};
  Checkpoint checkpoint{{"object", object}, {"step", step}, {"without", without}};
  CheckpointManager manager{checkpoint, dir.path(), options};
  const RestoreResult result = manager.restore_or_initialize();
  object.fail.reset();
  CHECK(allocation_failed());  // the line names the variable that got no value
  CHECK(result.path == dir / "ckpt-1.ckpt");
  CHECK(manager.save().skipped == SkipReason::same_step);
}

TEST_CASE("the Nth allocation of a manager fails") {
  strike_allocations("manager, first start",
                     [](const fs::path& dir) { return std::make_unique<Manage>(dir, 0, false); });
  strike_allocations("manager, rotation", [](const fs::path& dir) { return std::make_unique<Manage>(dir, 3, false); });
  strike_allocations("manager, recovery", [](const fs::path& dir) { return std::make_unique<Manage>(dir, 2, true); });
  strike_allocations("manager, next save", [](const fs::path& dir) { return std::make_unique<Next>(dir, false); });
  strike_allocations("clean-up", [](const fs::path& dir) { return std::make_unique<Clean>(dir); });
  strike_allocations("pin", [](const fs::path& dir) { return std::make_unique<Pin>(dir); });
}

TEST_CASE("the Nth allocation of a save in the background fails") {
  for (const SaveMode mode : {SaveMode::copy, SaveMode::overlap, SaveMode::hand_off}) {
    strike_allocations("save in the background, mode " + std::to_string(static_cast<int>(mode)),
                       [=](const fs::path& dir) { return std::make_unique<Async>(dir, mode); });
  }
  strike_allocations("next number in the background",
                     [](const fs::path& dir) { return std::make_unique<Numbered>(dir); });
  strike_allocations("manager, next save in the background",
                     [](const fs::path& dir) { return std::make_unique<Next>(dir, true); });
  strike_allocations("manager in the background",
                     [](const fs::path& dir) { return std::make_unique<Manage>(dir, 3, false, true); });
}
