#include "manager/load.hpp"

#include "base/log.hpp"
#include "base/text.hpp"
#include "io/located.hpp"
#include "manager/facts.hpp"
#include "manager/file_names.hpp"
#include "os/file.hpp"
#include "os/replacement_file.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <iterator>
#include <ranges>
#include <set>
#include <span>
#include <utility>

namespace ckpt::manager {
namespace {

constexpr std::size_t kMaxStateBytes = 64U << 20U;  // about a million checkpoints
constexpr const char* kMissing = "is missing";

// Whatever is in the list is younger than this: the rule is a strict one.
constexpr double kBefore = 1;

std::string shown(const os::Directory& directory, std::string_view file) {
  return base::escape_path(directory.path() / file);
}

double oldest_time(const Entries& entries, double otherwise) {
  for (const Entry& entry : entries) otherwise = std::min(otherwise, entry.time);
  return otherwise;
}

// A file that does not say its time gets that of the one after it.
void read_times(const os::Directory& directory, Entries& entries, double now) {
  for (Entry& entry : std::views::reverse(entries)) {
    now = std::min(now, read_facts(directory.path() / entry.file).created().value_or(now));
    entry.time = now;
  }
}

State rebuild(const os::Directory& directory, const ManagerOptions& options, const std::string& problem, double now) {
  Entries found = scan(directory, options.name);
  std::size_t left_alone = 0;
  if (options.max_to_keep && !options.adopt) {
    const auto keep = static_cast<std::size_t>(*options.max_to_keep);
    left_alone = found.size() - std::min(found.size(), keep);
  }
  State state;
  state.entries.assign(found.begin() + static_cast<std::ptrdiff_t>(left_alone), found.end());
  if (!found.empty() || problem != kMissing) {
    std::string text = "the state file " + shown(directory, state_file(options.name)) + " " + problem +
                       "; rebuilt from the directory: " + std::to_string(found.size()) + " checkpoints found";
    if (!found.empty()) {
      text += " (numbers " + std::to_string(found.front().number) + " to " + std::to_string(found.back().number) + ")";
    }
    base::log(LogLevel::warning,
              text + ", the newest " + std::to_string(state.entries.size()) + " are managed, others are left alone");
  }
  read_times(directory, state.entries, now);
  // The newest of those that are left alone, and so kept for ever, is as good as preserved.
  state.last_preserved = oldest_time(state.entries, now) - kBefore;
  if (left_alone > 0) {
    const Facts facts = read_facts(directory.path() / found[left_alone - 1].file);
    state.last_preserved = std::min(*state.last_preserved, facts.created().value_or(*state.last_preserved));
  }
  return state;
}

void forget_vanished(const os::Directory& directory, std::string_view name, Entries& entries) {
  if (!entries.empty() && !directory.exists(entries.back().file)) {
    base::log(LogLevel::warning, "the latest checkpoint of " + shown(directory, state_file(name)) + ", " +
                                     base::escape(entries.back().file) + ", is not there any more");
  }
  std::erase_if(entries, [&](const Entry& entry) { return !directory.exists(entry.file); });
}

// Ages cannot be told from a clock that went back. Then everything old leaves the list, and nothing of it is removed.
void settle_times(State& state, double now) {
  double& last = state.last_preserved.emplace(state.last_preserved.value_or(oldest_time(state.entries, now) - kBefore));
  if (now < last) {
    base::log(LogLevel::warning, "the clock is " + std::to_string(last - now) +
                                     " seconds behind the last checkpoint that was preserved: older checkpoints leave "
                                     "the list and are kept");
    last = now;
  }
  for (Entry& entry : state.entries) {
    if (entry.standing != Standing::active) continue;
    entry.time = std::min(entry.time, now);
    if (entry.time <= last) entry.standing = Standing::preserved;
  }
}

// Each in front of the first that is younger. The listed ones need not be in the order of their times.
Entries merged_by_time(Entries listed, Entries others) {
  std::ranges::sort(others, {}, [](const Entry& entry) { return std::pair{entry.time, entry.number}; });
  Entries all;
  all.reserve(listed.size() + others.size());
  auto next = others.begin();
  for (Entry& entry : listed) {
    while (next != others.end() && next->time < entry.time) all.push_back(std::move(*next++));
    all.push_back(std::move(entry));
  }
  std::move(next, others.end(), std::back_inserter(all));
  return all;
}

void adopt_others(const os::Directory& directory, const ManagerOptions& options, State& state, double now) {
  std::set<std::string_view> listed;
  for (const Entry& entry : state.entries) listed.insert(entry.file);
  Entries adopted;
  for (Entry& entry : scan(directory, options.name)) {
    if (listed.contains(entry.file)) continue;
    const Facts facts = read_facts(directory.path() / entry.file);
    if (facts.problem) {
      base::log(LogLevel::warning, std::string{"not adopted, and left alone: "} + facts.problem->what());
      continue;
    }
    entry.time = std::min(now, facts.created().value_or(now));
    entry.standing = entry.time > *state.last_preserved ? Standing::active : Standing::held;
    adopted.push_back(std::move(entry));
  }
  if (adopted.empty()) return;
  base::log(LogLevel::info, "adopted " + std::to_string(adopted.size()) + " checkpoints that " +
                                shown(directory, state_file(options.name)) + " did not list");
  state.entries = merged_by_time(std::move(state.entries), std::move(adopted));
}

}  // namespace

ParsedState read_state(const os::Directory& directory, std::string_view name) {
  try {
    const std::filesystem::path file = directory.path() / state_file(name);
    const auto text = os::read_small_file(file, kMaxStateBytes);
    if (!text) return {{}, kMissing};
    return io::located(file, [&] { return parse_state(*text, name); });
  } catch (const Error& error) {
    if (error.code() != ErrorCode::limit) throw;
    return {{}, "is too long"};
  }
}

void write_state(const os::Directory& directory, std::string_view name, const State& state, bool durable) {
  const std::string text = format_state(state);
  os::write_file_atomically(directory.path() / state_file(name), std::as_bytes(std::span{text}), durable);
}

void settle(const os::Directory& directory, std::string_view name, State& state, double now) {
  forget_vanished(directory, name, state.entries);
  if (state.entries.empty() && !state.last_preserved) state.last_preserved = now - kBefore;
  settle_times(state, now);
}

Entries scan(const os::Directory& directory, std::string_view name) {
  Entries entries;
  for (const std::string& file : directory.list()) {
    if (const auto number = number_of(name, file)) entries.push_back({file, *number, 0, Standing::active});
  }
  std::ranges::sort(entries, {}, &Entry::number);
  return entries;
}

Entries in_order(const Entries& found, const Entries& listed) {
  std::int64_t largest = -1;
  std::set<std::string_view> files;
  for (const Entry& entry : listed) {
    largest = std::max(largest, entry.number);
    files.insert(entry.file);
  }
  Entries others;
  std::ranges::copy_if(found, std::back_inserter(others),
                       [&](const Entry& entry) { return !files.contains(entry.file); });
  const auto newer = std::ranges::upper_bound(others, largest, {}, &Entry::number);
  Entries all{others.begin(), newer};
  all.insert(all.end(), listed.begin(), listed.end());
  all.insert(all.end(), newer, others.end());
  return all;
}

std::optional<std::string> newest_file(const os::Directory& directory, std::string_view name) {
  ParsedState parsed = read_state(directory, name);
  Entries entries = parsed.problem.empty() ? std::move(parsed.state.entries) : scan(directory, name);
  while (!entries.empty() && !directory.exists(entries.back().file)) entries.pop_back();
  if (entries.empty()) return std::nullopt;
  return std::move(entries.back().file);
}

LoadedState load_state(const os::Directory& directory, const ManagerOptions& options, double now) {
  ParsedState parsed = read_state(directory, options.name);
  LoadedState loaded{std::move(parsed.state), !parsed.problem.empty()};
  State& state = loaded.state;
  if (loaded.rebuilt) {
    state = rebuild(directory, options, parsed.problem, now);
  } else {
    settle(directory, options.name, state, now);
  }
  if (options.adopt) adopt_others(directory, options, state, now);
  return loaded;
}

}  // namespace ckpt::manager
