// SIGKILL at random moments of a run with a manager, under eight sets of rules: no checkpoint that a rule wants is ever
// lost. What the rules want is worked out here once more, from the whole history of the run and not from what is left
// of it. CKPT_TEST_KILLS sets how often, as for tests/io.
#include "run.hpp"

#include <support/child.hpp>
#include <support/shared.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <thread>

using namespace ckpt;
using namespace ckpt::test;

namespace {

using Numbers = std::set<std::int64_t>;

constexpr double kStepSeconds = 1100;
constexpr std::int64_t kPinEvery = 5;

// What the rules look at are functions of the step, so that they are known without looking at files.
double time_of(std::int64_t step) { return 1'700'000'000 + kStepSeconds * static_cast<double>(step); }
double loss_of(std::int64_t step) { return std::fmod(static_cast<double>(step) * 0.618'033'988'75, 1.0); }

struct Policy {
  const char* name;
  ManagerOptions rules;
  bool pins = false;
};

std::vector<Policy> policies() {
  const auto nothing = std::nullopt;
  const KeepBest lowest{.metric = "loss", .count = 2};
  const KeepBest highest{.metric = "loss", .count = 3, .better = Better::higher};
  return {
      {"the newest", {.max_to_keep = 3}},
      {"all", {.max_to_keep = nothing}},
      {"every n hours", {.max_to_keep = 2, .keep_every_n_hours = 1.5}},
      {"grid", {.max_to_keep = 1, .keep_time_grid_hours = 2}},
      {"steps", {.max_to_keep = 2, .keep_every_n_steps = 7}},
      {"best", {.max_to_keep = 1, .keep_best = {lowest, highest}}},
      {"pins", {.max_to_keep = 2}, true},
      {"everything",
       {.max_to_keep = 2,
        .keep_every_n_hours = 3,
        .keep_time_grid_hours = 5,
        .keep_every_n_steps = 9,
        .keep_best = {lowest, highest}},
       true},
  };
}

// TensorFlow's rule, as its documentation tells it: each that leaves the newest is kept for ever when it is so many
// hours younger than the last one kept so.
void want_hours(const ManagerOptions& rules, std::int64_t last, Numbers& wanted) {
  if (!rules.keep_every_n_hours) return;
  double preserved = time_of(1) - 1;
  for (std::int64_t step = 1; step <= last - *rules.max_to_keep; ++step) {
    if (time_of(step) - *rules.keep_every_n_hours * 3600 < preserved) continue;
    preserved = time_of(step);
    wanted.insert(step);
  }
}

template <typename Period>
void want_first_of_each(std::int64_t last, const Period& period, Numbers& wanted) {
  std::map<double, std::int64_t> first;
  for (std::int64_t step = last; step >= 1; --step) first[period(step)] = step;
  for (const auto& [key, step] : first) {
    if (key != 0) wanted.insert(step);
  }
}

void want_best(const KeepBest& best, std::int64_t last, Numbers& wanted) {
  std::map<double, std::int64_t> ranks;
  for (std::int64_t step = 1; step <= last; ++step) {
    ranks[best.better == Better::lower ? loss_of(step) : -loss_of(step)] = step;
  }
  auto rank = ranks.begin();
  for (int i = 0; i < best.count && rank != ranks.end(); ++i, ++rank) wanted.insert(rank->second);
}

Numbers wanted_after(const ManagerOptions& rules, std::int64_t last) {
  Numbers wanted;
  const std::int64_t newest = rules.max_to_keep ? *rules.max_to_keep : last;
  for (std::int64_t step = std::max<std::int64_t>(1, last - newest + 1); step <= last; ++step) wanted.insert(step);
  want_hours(rules, last, wanted);
  if (rules.keep_time_grid_hours) {
    const double seconds = *rules.keep_time_grid_hours * 3600;
    want_first_of_each(last, [&](std::int64_t step) { return std::floor(time_of(step) / seconds); }, wanted);
  }
  if (rules.keep_every_n_steps) {
    const std::int64_t every = *rules.keep_every_n_steps;
    want_first_of_each(last, [&](std::int64_t step) { return static_cast<double>(step / every); }, wanted);
  }
  for (const KeepBest& best : rules.keep_best) want_best(best, last, wanted);
  return wanted;
}

// What the running process has done.
struct Progress {
  std::atomic<std::int64_t> called{1};  // the step whose save was called last
  std::atomic<std::int64_t> listed{0};  // the last one that is known to be listed
};

// Trains and saves, in the foreground and in the background, until it is killed or has reached `last`.
void train(const std::filesystem::path& directory, const Policy& policy, Progress& progress, std::int64_t last) {
  Variable<std::int64_t> step{0};
  Variable<float> weights{{1000}};
  Checkpoint checkpoint{{"step", step}, {"weights", weights}};
  ManagerOptions options = policy.rules;
  options.step_counter = step;
  options.clock = [&] { return time_of(progress.called); };
  CheckpointManager manager{checkpoint, directory, options};
  manager.restore_or_initialize();
  while (step < last) {
    ++step;
    std::ranges::fill(weights.mutable_values(), static_cast<float>(step.value()));
    progress.called = step.value();
    SaveOptions save;
    save.writer.metrics = {{"loss", loss_of(step)}};
    save.writer.durable = step % 4 == 0;
    if (step % 3 == 0) {
      manager.save_async({.options = save});
      if (step % 2 == 0) manager.wait_for_saves();
    } else {
      manager.save(save);
      progress.listed = step.value();
    }
    if (policy.pins && step % kPinEvery == 0) manager.pin(step.value());
  }
  manager.wait_for_saves();
}

struct Found {
  Numbers checkpoints;
  Numbers pins;
};

Found find(const std::filesystem::path& directory) {
  Found found;
  for (const std::string& name : names_in(directory)) {
    if (!name.starts_with("ckpt-")) continue;
    Numbers& numbers = name.ends_with(".pin") ? found.pins : found.checkpoints;
    numbers.insert(std::stoll(name.substr(5)));
  }
  return found;
}

void require_whole(const std::filesystem::path& file, std::int64_t number) {
  const Reader reader = Reader::open(file, {.verify = Verify::full});
  const TensorView step = reader.tensor("step");
  REQUIRE(step.as<std::int64_t>()[0] == number);
  const TensorView weights = reader.tensor("weights");
  REQUIRE(std::ranges::count(weights.as<float>(), static_cast<float>(number)) == 1000);
}

// Everything that is wanted is there and whole, whatever else is there. Returns the newest.
std::int64_t require_nothing_lost(const std::filesystem::path& directory, const Policy& policy,
                                  const Progress& progress) {
  const Found found = find(directory);
  const std::int64_t newest = found.checkpoints.empty() ? 0 : *found.checkpoints.rbegin();
  REQUIRE(newest >= progress.listed);
  REQUIRE(newest <= progress.called);
  Numbers wanted = wanted_after(policy.rules, newest);
  wanted.insert(found.pins.begin(), found.pins.end());
  for (const std::int64_t number : wanted) {
    INFO("checkpoint " << number << " of " << newest);
    REQUIRE(found.checkpoints.contains(number));
    require_whole(directory / ("ckpt-" + std::to_string(number) + ".ckpt"), number);
  }
  return newest;
}

// One run, killed so often and then finished.
void kill_and_finish(const Policy& policy, int kills, std::mt19937& random) {
  const TempDir dir;
  const Shared<Progress> shared;
  Progress& progress = *shared;
  for (int i = 0; i < kills; ++i) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        train(dir.path(), policy, progress, 1'000'000);
      } catch (...) {
        ::_exit(1);
      }
    }
    std::this_thread::sleep_for(std::chrono::microseconds{random() % 12'000});
    ::kill(child, SIGKILL);
    REQUIRE(wait_for(child).signal == SIGKILL);
    INFO("kill " << i << ", called " << progress.called << ", listed " << progress.listed);
    progress.listed = require_nothing_lost(dir.path(), policy, progress);
  }
  const std::int64_t last = progress.called + 3;
  const ChildResult result = run_child([&]() -> std::string {
    train(dir.path(), policy, progress, last);
    return {};
  });
  REQUIRE(result.text.empty());
  const Found found = find(dir.path());
  Numbers wanted = wanted_after(policy.rules, last);
  wanted.insert(found.pins.begin(), found.pins.end());
  CHECK(found.checkpoints == wanted);
}

}  // namespace

TEST_CASE("SIGKILL never costs a checkpoint that a rule wants", "[manager][retention][kill]") {
  constexpr int kKillsOfARun = 10;
  std::mt19937 random{std::random_device{}()};
  const std::vector<Policy> all = policies();
  const int runs = std::max(1, kills(400) / (kKillsOfARun * static_cast<int>(all.size())));
  for (int run = 0; run < runs; ++run) {
    for (const Policy& policy : all) {
      INFO("rules: " << policy.name);
      kill_and_finish(policy, kKillsOfARun, random);
    }
  }
  std::cout << runs * kKillsOfARun * static_cast<int>(all.size()) << " kills\n";
}
