// A process is killed at its Nth system call, for N = 1, 2, 3, … until it comes to its end alive: before the call,
// after half of a transfer, and after the call. Then other processes look at what it left.
#pragma once

#include "door.hpp"
#include "world.hpp"

#include <catch2/catch.hpp>
#include <support/child.hpp>
#include <support/shared.hpp>
#include <support/temp_dir.hpp>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iostream>
#include <random>
#include <string>
#include <vector>

namespace ckpt::test {

/// How far a process had come when it was killed, in memory that outlives it.
struct Progress {
  std::atomic<std::int64_t> called{0};    ///< the save that was begun last
  std::atomic<std::int64_t> returned{0};  ///< the one that returned last
};

/// What is killed. Each function runs in a process of its own.
struct Victim {
  std::string name;
  std::function<void(const std::filesystem::path& dir)> prepare;
  std::function<void(const std::filesystem::path& dir, Progress& progress)> run;
  /// What is wrong with what is left, or nothing. Goes on from there, as the next process would.
  std::function<std::string(const std::filesystem::path& dir, const Progress& progress)> judge;
  /// Calls that fail before; calls are counted from the failure on.
  std::vector<door::Fault> before = {};
};

struct KillCounts {
  std::uint64_t kills = 0;
  std::uint64_t most_calls = 0;
  std::uint64_t half_done = 0;  ///< kills that left a temporary
};

inline bool has_temporary_below(const std::filesystem::path& dir) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator{dir}) {
    if (entry.path().extension() == ".tmp") return true;
  }
  return false;
}

/// Runs `victim` in a copy of `prepared` and kills it there. False when it came to its end before.
inline bool kill_once(const Victim& victim, const std::filesystem::path& prepared, door::Effect effect,
                      std::uint64_t nth, KillCounts& counts) {
  const TempDir dir{memory_dir()};
  std::filesystem::copy(prepared, dir.path(), std::filesystem::copy_options::recursive);
  const Shared<Progress> progress;
  std::vector<door::Fault> faults = victim.before;
  faults.push_back({.effect = effect, .nth = nth});
  const auto run = [&]() -> std::string {
    const door::Guard guard{faults};
    victim.run(dir.path(), *progress);
    return "";
  };
  const ChildResult ended = run_child(run, SIGKILL);
  INFO(victim.name << ", killed " << (effect == door::Effect::kill ? "before" : "in or after") << " call " << nth);
  REQUIRE(ended.text == "");
  const bool killed = ended.signal == SIGKILL;
  if (!killed) REQUIRE(ended.exit_status == 0);
  if (killed && has_temporary_below(dir.path())) ++counts.half_done;
  const ChildResult judged = run_child([&] { return victim.judge(dir.path(), *progress); });
  REQUIRE(judged.text == "");
  REQUIRE(judged.exit_status == 0);
  if (killed) ++counts.kills;
  return killed;
}

inline KillCounts kill_everywhere(const Victim& victim) {
  constexpr std::uint64_t kMost = 2000;
  const TempDir prepared{memory_dir()};
  if (victim.prepare) {
    const ChildResult made = run_child([&]() -> std::string {
      victim.prepare(prepared.path());
      return "";
    });
    REQUIRE(made.text == "");
  }
  KillCounts counts;
  for (const door::Effect effect : {door::Effect::kill, door::Effect::kill_half, door::Effect::kill_after}) {
    std::uint64_t nth = 1;
    while (kill_once(victim, prepared.path(), effect, nth, counts)) {
      ++nth;
      REQUIRE(nth < kMost);
    }
    counts.most_calls = std::max(counts.most_calls, nth - 1);
  }
  std::cout << victim.name << ": " << counts.most_calls << " calls, " << counts.kills << " kills, of which "
            << counts.half_done << " left a temporary" << std::endl;
  CHECK(counts.kills > counts.most_calls);
  return counts;
}

/// Kills each of `victims`, and then those that `draw` makes, until there were CKPT_TEST_KILLS kills.
template <typename Draw>
void kill_all(const std::vector<Victim>& victims, Draw&& draw) {
  std::uint64_t done = 0;
  for (const Victim& victim : victims) done += kill_everywhere(victim).kills;
  const auto wanted = static_cast<std::uint64_t>(kills(0));
  const auto seed = std::random_device{}();
  std::mt19937 random{seed};
  INFO("the seed is " << seed);
  while (done < wanted) done += kill_everywhere(draw(random)).kills;
  std::cout << done << " kills at system calls\n";
}

}  // namespace ckpt::test
