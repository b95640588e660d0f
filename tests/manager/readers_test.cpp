// Readers beside a manager that saves and removes: each sees one whole checkpoint, and keeps what it has.
#include "run.hpp"

#include <ckpt/watch.hpp>

#include <support/child.hpp>
#include <support/together.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::int64_t kCount = 20'000;
constexpr std::int64_t kSaves = 40;

// All values say which save it was.
struct Training {
  explicit Training(const std::filesystem::path& directory)
      : manager{checkpoint, directory, {.max_to_keep = 1, .save = quick()}} {}

  void run() {
    for (std::int64_t step = 1; step <= kSaves; ++step) {
      std::ranges::fill(w.mutable_values(), step);
      std::ranges::fill(z.mutable_values(), step);
      if (step % 2 == 0) {
        manager.save_async().pending.durable();
      } else {
        manager.save();
      }
    }
    manager.wait_for_deletions();
  }

  Variable<std::int64_t> w{{kCount}};
  Variable<std::int64_t> z{{kCount}};
  Checkpoint checkpoint{{"w", w}, {"z", z}};
  CheckpointManager manager;
};

std::string name_of(std::int64_t step) { return "ckpt-" + std::to_string(step) + ".ckpt"; }

bool all_are(const TensorView& view, std::int64_t step) {
  return std::ranges::count(view.as<std::int64_t>(), step) == kCount;
}

// A checkpoint that is held open, also when the manager has removed it.
struct Held {
  Reader reader;
  TensorView view;
  std::int64_t step;

  bool is_whole() const {
    return all_are(view, step) && all_are(reader.tensor("z"), step) && reader.verify({.threads = 1}).ok();
  }
};

// Opens the newest again and again, until it is the last one. What is wrong, or "".
std::string follow(const std::filesystem::path& directory, ReadMode mode) {
  std::deque<Held> held;
  std::int64_t last = 0;
  while (last != kSaves) {
    const auto path = wait_for_new_checkpoint(directory, {}, {.timeout = std::chrono::minutes{5}});
    if (!path) return "no checkpoint came";
    try {
      const Reader reader = Reader::open(*path, {.mode = mode, .verify = Verify::lazy});
      const TensorView view = reader.tensor("w");
      const std::int64_t step = view.as<std::int64_t>()[0];
      if (name_of(step) != path->filename()) return "another checkpoint than its name says";
      if (step < last) return "an older one came after a newer";
      last = step;
      held.push_back({reader, view, step});
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_found) return error.what();  // rotated away before it was opened
    }
    for (const Held& one : held) {
      if (!one.is_whole()) return "checkpoint " + std::to_string(one.step) + " is not whole";
    }
    if (held.size() > 3) held.pop_front();
  }
  return held.empty() ? "nothing was read" : "";
}

}  // namespace

TEST_CASE("threads read while the manager rotates", "[manager][threads]") {
  TempDir dir;
  const std::string wrong = together(5, [&](std::size_t i) -> std::string {
    if (i > 0) return follow(dir / "run", i % 2 == 0 ? ReadMode::mmap : ReadMode::read);
    Training{dir / "run"}.run();
    return {};
  });
  CHECK(wrong == "");
  CHECK(checkpoints_in(dir / "run") == Paths{name_of(kSaves)});
}

TEST_CASE("processes read while another rotates", "[manager][processes]") {
  TempDir dir;
  const auto reader = [&](ReadMode mode) {
    return [&, mode] {
      const std::string wrong = follow(dir / "run", mode);
      if (!wrong.empty()) throw std::runtime_error(wrong);
    };
  };
  Process readers[] = {Process{reader(ReadMode::mmap)}, Process{reader(ReadMode::mmap)},
                       Process{reader(ReadMode::read)}, Process{reader(ReadMode::automatic)}};
  Training{dir / "run"}.run();
  for (Process& process : readers) CHECK(process.exit_status() == 0);
}

TEST_CASE("threads list and clean up a directory while its manager saves", "[manager][threads]") {
  TempDir dir;
  std::atomic<bool> ending = false;
  Training training{dir / "run"};
  training.manager.save();
  const std::string wrong = together(4, [&](std::size_t i) -> std::string {
    if (i == 0) {
      training.run();
      ending = true;
    }
    while (!ending) {
      const DirectoryHistory history = read_history(dir / "run", {.verify = i == 1});
      if (history.runs.size() != 1) return "not one run";
      for (const HistoryEntry& entry : history.runs[0].checkpoints) {
        if (entry.problem && entry.problem->code() != ErrorCode::not_found) return entry.problem->what();
      }
      if (!collect_garbage(dir / "run").manager_runs) return "no manager is seen";
      const auto code = code_of([&] { collect_garbage(dir / "run", {.apply = true}); });
      if (code != ErrorCode::busy) return "a clean-up beside a manager";
    }
    return {};
  });
  CHECK(wrong == "");
}
