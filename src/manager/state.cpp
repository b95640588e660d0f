#include "manager/state.hpp"

#include "base/text.hpp"
#include "codec/xxh3.hpp"
#include "manager/file_names.hpp"
#include "manager/rules.hpp"

#include <ckpt/error.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <set>
#include <span>
#include <utility>

namespace ckpt::manager {
namespace {

constexpr std::string_view kTitle = "ckpt-state ";
constexpr std::string_view kVersion = "1";
constexpr std::string_view kLatest = "latest ";
constexpr std::string_view kLastPreserved = "last_preserved ";
constexpr std::string_view kChecksum = "checksum ";

constexpr std::array<std::pair<Standing, std::string_view>, 3> kStandings{{
    {Standing::active, "active "},
    {Standing::held, "held "},
    {Standing::preserved, "preserved "},
}};

std::uint64_t sum_of(std::string_view text) { return codec::xxh3(std::as_bytes(std::span{text})); }

/// Takes a finite number off the front.
std::optional<double> take_time(std::string_view& text) {
  double time = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), time);
  if (failure != std::errc{} || !std::isfinite(time)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return time;
}

/// Takes one line off the front; nothing when there is no whole line.
std::optional<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

/// The text without its checksum line; nothing when that is missing or wrong.
std::optional<std::string_view> checked_body(std::string_view text) {
  const std::size_t line_bytes = kChecksum.size() + 16 + 1;
  if (text.size() < line_bytes) return std::nullopt;
  const std::string_view body = text.substr(0, text.size() - line_bytes);
  const std::string expected = std::string{kChecksum} + base::hex16(sum_of(body)) + "\n";
  if (text.substr(body.size()) != expected) return std::nullopt;
  return body;
}

/// "active 1763875200.25 test-50.ckpt".
std::optional<Entry> parse_entry(std::string_view line, std::string_view name) {
  for (const auto& [standing, word] : kStandings) {
    if (!line.starts_with(word)) continue;
    line.remove_prefix(word.size());
    const auto time = take_time(line);
    if (!time || !line.starts_with(' ')) return std::nullopt;
    Entry entry{std::string{line.substr(1)}, 0, *time, standing};
    // Only names that this manager gives: a path like "../x" must never come near the code that deletes.
    const auto number = number_of(name, entry.file);
    if (!number) return std::nullopt;
    entry.number = *number;
    return entry;
  }
  return std::nullopt;
}

ParsedState damaged(std::string problem) { return {{}, "is damaged: " + std::move(problem)}; }

void require_version(std::string_view version) {
  if (version == kVersion) return;
  throw Error{
      ErrorCode::unsupported,
      {.problem = "the state file of a manager has another version",
       .expected = std::string{kVersion},
       .found = base::escape(version),
       .advice = "use a newer release of ckpt, or remove that file: the list is then rebuilt from the directory"}};
}

}  // namespace

std::string format_state(const State& state) {
  std::string text = std::string{kTitle} + std::string{kVersion} + "\n";
  if (!state.entries.empty()) text += std::string{kLatest} + state.entries.back().file + "\n";
  if (state.last_preserved) text += std::string{kLastPreserved} + base::shortest(*state.last_preserved) + "\n";
  if (state.rules) text += format_rules(*state.rules);
  for (const Entry& entry : state.entries) {
    for (const auto& [standing, word] : kStandings) {
      if (entry.standing == standing) text += std::string{word} + base::shortest(entry.time) + " " + entry.file + "\n";
    }
  }
  const std::string sum = base::hex16(sum_of(text));
  return text + std::string{kChecksum} + sum + "\n";
}

ParsedState parse_state(std::string_view text, std::string_view name) {
  if (text.empty()) return {{}, "is empty"};
  const auto body = checked_body(text);
  if (!body) return damaged("its checksum is missing or wrong");
  std::string_view rest = *body;
  const auto title = take_line(rest);
  if (!title || !title->starts_with(kTitle)) return damaged("it has no version");
  require_version(title->substr(kTitle.size()));
  State state;
  std::string latest;
  std::string rules;
  std::set<std::string, std::less<>> seen;
  while (auto line = take_line(rest)) {
    if (line->starts_with(kLatest) && latest.empty() && state.entries.empty()) {
      latest = line->substr(kLatest.size());
    } else if (line->starts_with(kLastPreserved) && !state.last_preserved && state.entries.empty()) {
      line->remove_prefix(kLastPreserved.size());
      state.last_preserved = take_time(*line);
      if (!state.last_preserved || !line->empty()) return damaged("a time in it cannot be read");
    } else if (line->starts_with(kRule) && state.entries.empty()) {
      rules.append(*line) += '\n';
    } else {
      auto entry = parse_entry(*line, name);
      if (!entry || !seen.insert(entry->file).second) return damaged("it has a line that no manager writes");
      state.entries.push_back(std::move(*entry));
    }
  }
  if (!rest.empty()) return damaged("its last line has no end");
  if (!rules.empty()) {
    state.rules = parse_rules(rules);
    if (!state.rules) return damaged("its rules are none that a manager writes");
  }
  if (latest != (state.entries.empty() ? std::string{} : state.entries.back().file)) {
    return damaged("its latest checkpoint is not the last of the list");
  }
  return {std::move(state), {}};
}

}  // namespace ckpt::manager
