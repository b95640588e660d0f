// A process is killed at every system call of a run with a manager: its first start, rotation under rules, recovery
// from damage, pins, saves in the background, and collect_garbage. Whatever is left, the next process restores the
// newest, finds a list that fits the directory, and goes on. CKPT_TEST_KILLS asks for more, with rules drawn.
#include "killing.hpp"

#include <cerrno>
#include <optional>
#include <set>

using namespace ckpt;
using namespace ckpt::test;
using door::Call;
namespace fs = std::filesystem;

namespace {

using Numbers = std::set<std::int64_t>;

// A run that saves values equal to their numbers.
struct Scenario {
  ManagerOptions rules = {.max_to_keep = 2};
  int before = 0;        // checkpoints that are there; the first is pinned
  bool damaged = false;  // the newest of them, and the state is lost
  int saves = 2;
  bool async = false;

  std::int64_t oldest_restored() const { return damaged ? before - 1 : before; }
};

// As the rules see it: an hour between steps, and the second is the best.
constexpr std::int64_t kBest = 2;
double time_of(std::int64_t step) { return 1'700'000'000 + 3600 * static_cast<double>(step); }
double loss_of(std::int64_t step) { return step == kBest ? 0 : 1; }

std::string name_of(std::int64_t number) { return "ckpt-" + std::to_string(number) + ".ckpt"; }

Numbers numbers_in(const fs::path& dir) {
  Numbers numbers;
  if (!fs::exists(dir)) return numbers;
  for (const std::string& name : names_in(dir)) {
    if (name.starts_with("ckpt-") && name.ends_with(".ckpt")) numbers.insert(std::stoll(name.substr(5)));
  }
  return numbers;
}

// There is one run in a process.
std::int64_t step_now = 0;

ManagerOptions with_clock(const fs::path& dir, ManagerOptions options) {
  const Numbers numbers = numbers_in(dir);
  step_now = numbers.empty() ? 0 : *numbers.rbegin();
  options.clock = [] { return time_of(step_now); };
  return options;
}

struct Run : Program {
  Run(const fs::path& dir, const ManagerOptions& rules) : Program{dir, with_clock(dir, rules)} {}

  SaveRequest next() {
    ++value;
    step_now = static_cast<std::int64_t>(value.value());
    SaveRequest request;
    request.options.emplace();
    request.options->writer.step = step_now;
    request.options->writer.metrics = {{"loss", loss_of(step_now)}};
    return request;
  }
  void save() { manager.save(next()); }
};

void prepare(const fs::path& dir, const Scenario& scenario) {
  if (scenario.before == 0) return;
  {
    Run run{dir / "runs" / "a", scenario.rules};
    for (int i = 1; i <= scenario.before; ++i) {
      run.save();
      if (i == 1) run.manager.pin(1);
    }
  }
  if (!scenario.damaged) return;
  write_file(dir / "runs" / "a" / name_of(scenario.before), random_bytes(5000, 1));
  fs::remove(dir / "runs" / "a" / "ckpt.state");
  write_file(dir / "runs" / "a" / ".ckpt-7.ckpt.0123456789abcdef.tmp", "x");
}

void run(const fs::path& dir, const Scenario& scenario, Progress& progress) {
  Run run{dir / "runs" / "a", scenario.rules};
  run.restore();
  for (int i = 0; i < scenario.saves; ++i) {
    progress.called = static_cast<std::int64_t>(run.value.value()) + 1;
    if (scenario.async) {
      run.manager.save_async(run.next());
      if (i % 2 == 1) run.manager.wait_for_saves();
    } else {
      run.save();
    }
    if (!scenario.async || i % 2 == 1) progress.returned = progress.called.load();
    if (i == 0) run.manager.wait_for_deletions();
  }
}

// What the rules want to be there once `last` was saved, if every number from 1 on was.
Numbers wanted_by(const Scenario& scenario, std::int64_t last) {
  Numbers wanted;
  const std::int64_t newest = scenario.rules.max_to_keep.value_or(static_cast<int>(last));
  for (std::int64_t i = std::max<std::int64_t>(1, last - newest + 1); i <= last; ++i) wanted.insert(i);
  if (scenario.before > 0) wanted.insert(1);
  const std::int64_t every = scenario.rules.keep_every_n_steps.value_or(last + 1);
  for (std::int64_t i = every; i <= last; i += every) wanted.insert(i);
  if (!scenario.rules.keep_best.empty() && last >= kBest) wanted.insert(kBest);
  // The first one is counted from the start of the run.
  const auto hours = static_cast<std::int64_t>(scenario.rules.keep_every_n_hours.value_or(1e6));
  for (std::int64_t i = hours; i <= last - newest; i += hours) wanted.insert(i);
  return wanted;
}

// Before anything is repaired: what a reader sees without a lock.
std::string look(const fs::path& dir, const Scenario& scenario, const Progress& progress) {
  const std::int64_t returned = std::max(progress.returned.load(), scenario.oldest_restored());
  const bool repaired = !scenario.damaged || progress.returned > 0;
  const Numbers found = numbers_in(dir);
  for (const std::int64_t number : found) {
    if (!repaired && number == scenario.before) continue;
    if (scalar_in(dir / name_of(number)) != static_cast<double>(number)) return name_of(number) + " has another value";
  }
  if (temporaries_in(dir) > (scenario.damaged ? 2U : 1U)) return "too many temporaries";
  if (returned == 0 || !repaired) return "";
  Numbers wanted = wanted_by(scenario, returned);
  for (std::int64_t last = returned + 1; last <= progress.called; ++last) {
    const Numbers then = wanted_by(scenario, last);
    std::erase_if(wanted, [&](std::int64_t number) { return !then.contains(number); });
  }
  if (!std::ranges::includes(found, wanted)) return "a checkpoint that the rules want is lost";
  const auto latest = latest_checkpoint(dir);
  if (!latest || scalar_in(*latest) < static_cast<double>(returned)) return "readers find an older one";
  const DirectoryHistory history = read_history(dir);
  if (history.runs.size() != 1 || history.runs[0].state_problem) return "the list cannot be read";
  return history.manager_runs ? "the lock is held by nobody" : "";
}

// The next process: restores, saves twice more, and leaves what the rules want.
std::string go_on(const fs::path& dir, const Scenario& scenario, const Progress& progress) {
  Run run{dir, scenario.rules};
  if (temporaries_in(dir) != 0) return "a temporary remains after the next start";
  const double restored = run.restore();
  const std::int64_t oldest = std::max(progress.returned.load(), scenario.oldest_restored());
  const std::int64_t newest = std::max(progress.called.load(), oldest);
  if (restored < static_cast<double>(oldest) || restored > static_cast<double>(newest)) {
    return "restored " + std::to_string(restored);
  }
  run.save();
  run.save();
  run.manager.wait_for_deletions();
  const auto last = static_cast<std::int64_t>(run.value.value());
  if (scalar_in(dir / name_of(last)) != run.value.value()) return "the next save gave another value";
  const Numbers wanted = wanted_by(scenario, last);
  if (numbers_in(dir) != wanted) return "there are other checkpoints than the rules want";
  return temporaries_in(dir) == 0 ? "" : "a temporary remains";
}

Victim manager(const std::string& name, const Scenario& scenario) {
  return {name, [=](const fs::path& dir) { prepare(dir, scenario); },
          [=](const fs::path& dir, Progress& progress) { run(dir, scenario, progress); },
          [=](const fs::path& root, const Progress& progress) -> std::string {
            const fs::path dir = root / "runs" / "a";
            if (fs::exists(dir)) {
              if (std::string wrong = look(dir, scenario, progress); !wrong.empty()) return wrong;
            }
            return go_on(dir, scenario, progress);
          }};
}

// There is no room for the list of the first save: what it lets go of goes before it.
Victim full_disk() {
  Victim victim = manager("rotation on a full disk", {.before = 4});
  victim.before = {{.error = ENOSPC, .nth = 2, .kind = Call::renameat}};
  return victim;
}

// A pin, and taking it back. `called` counts the calls, `returned` those that returned.
Victim pins() {
  const Scenario scenario{.before = 3};
  const auto run = [](const fs::path& root, Progress& progress) {
    Program program{root / "runs" / "a"};
    program.manager.pin(3);
    progress.returned = 1;
    program.manager.unpin(1);
    progress.returned = 2;
  };
  const auto judge = [](const fs::path& root, const Progress& progress) -> std::string {
    const fs::path dir = root / "runs" / "a";
    const auto pinned = [&](std::int64_t number) { return fs::exists(dir / (name_of(number) + ".pin")); };
    if (progress.returned >= 1 && !pinned(3)) return "it had returned, and there is no pin";
    if (progress.returned < 1 && !pinned(1)) return "the other pin is gone";
    if (progress.returned >= 2 && pinned(1)) return "it had returned, and the pin is still there";
    if (temporaries_in(dir) > 1) return "too many temporaries";
    const bool first = pinned(1);
    const bool third = pinned(3);
    Run program{dir, {.max_to_keep = 1}};
    if (temporaries_in(dir) != 0) return "a temporary remains";
    if (program.restore() != 3) return "the newest is lost";
    program.save();
    program.manager.wait_for_deletions();
    if (fs::exists(dir / name_of(1)) != first || fs::exists(dir / name_of(3)) != third)
      return "rotation goes by others";
    program.manager.pin(4);
    program.manager.unpin(4);
    return pinned(4) ? "the next pin cannot be taken back" : "";
  };
  return {"pins", [=](const fs::path& dir) { prepare(dir, scenario); }, run, judge};
}

// What `ckptdump gc --apply` does. There is garbage of each kind because a manager was killed before its removals.
Victim garbage() {
  const auto prepare = [](const fs::path& dir) {
    Run{dir, {.max_to_keep = std::nullopt}};
    const auto remove_late = [&]() -> std::string {
      {
        Run run{dir, {.max_to_keep = std::nullopt}};
        for (int i = 1; i <= 5; ++i) run.save();
      }
      Run run{dir, {.max_to_keep = 2}};
      run.restore();
      const door::Guard guard{{{.effect = door::Effect::kill, .kind = Call::unlinkat}}};
      run.save();
      run.manager.wait_for_deletions();
      return "alive";
    };
    REQUIRE(run_child(remove_late, SIGKILL).text == "");
    write_file(dir / "ckpt-0.ckpt.pin", "");
    write_file(dir / "ckpt-4.ckpt.pin", "");
    write_file(dir / ".ckpt-6.ckpt.0123456789abcdef.tmp", "x");
  };
  const auto run = [](const fs::path& dir, Progress& progress) {
    collect_garbage(dir, {.apply = true});
    progress.returned = 1;
  };
  const auto judge = [](const fs::path& dir, const Progress& progress) -> std::string {
    const Numbers stay{4, 5, 6};
    const Numbers found = numbers_in(dir);
    if (!std::ranges::includes(found, stay)) return "what should stay is gone";
    if (progress.returned > 0 && found != stay) return "it had returned, and garbage is left";
    if (temporaries_in(dir) > 2) return "too many temporaries";
    for (const std::int64_t number : found) {
      if (scalar_in(dir / name_of(number)) != static_cast<double>(number)) return "another value";
    }
    if (read_history(dir).runs.at(0).state_problem) return "the list cannot be read";
    collect_garbage(dir, {.apply = true});
    const std::vector<std::string> clean{".ckpt.lock",  "ckpt-4.ckpt", "ckpt-4.ckpt.pin",
                                         "ckpt-5.ckpt", "ckpt-6.ckpt", "ckpt.state"};
    if (names_in(dir) != clean) return "the next one leaves something else";
    Run next{dir, {.max_to_keep = 2}};
    if (next.restore() != 6) return "the newest is lost";
    next.save();
    next.manager.wait_for_deletions();
    return numbers_in(dir) == Numbers{4, 6, 7} ? "" : "the next save leaves something else";
  };
  return {"collect_garbage", prepare, run, judge};
}

ManagerOptions many_rules() {
  return {.max_to_keep = 1,
          .keep_every_n_hours = 3,
          .keep_every_n_steps = 5,
          .keep_best = {{.metric = "loss", .count = 1}}};
}

std::vector<Victim> all_kinds() {
  return {
      manager("first start", {}),
      manager("rotation", {.before = 4}),
      manager("rotation, many rules", {.rules = many_rules(), .before = 4, .saves = 3}),
      manager("recovery", {.before = 3, .damaged = true, .saves = 1}),
      manager("saves in the background", {.before = 3, .saves = 4, .async = true}),
      full_disk(),
      pins(),
      garbage(),
  };
}

Victim drawn(std::mt19937& random) {
  Scenario scenario;
  scenario.rules.max_to_keep = 1 + static_cast<int>(random() % 3);
  if (random() % 2 == 0) scenario.rules.keep_every_n_hours = 2 + static_cast<double>(random() % 3);
  if (random() % 2 == 0) scenario.rules.keep_every_n_steps = 2 + static_cast<std::int64_t>(random() % 4);
  if (random() % 2 == 0) scenario.rules.keep_best = {{.metric = "loss", .count = 1}};
  scenario.before = static_cast<int>(random() % 7);
  scenario.saves = 1 + static_cast<int>(random() % 4);
  scenario.async = random() % 2 == 0;
  return manager("a run, drawn", scenario);
}

}  // namespace

TEST_CASE("killed at every system call of a run") {
  const QuietLog quiet;
  kill_all(all_kinds(), drawn);
}
