// Lines of rules, in this order; all but the first only where the rule is set, the last one for each of its kind:
//
//   rule max_to_keep 3                      or "all"
//   rule keep_every_n_hours 1.5
//   rule keep_time_grid_hours 24
//   rule keep_every_n_steps 10000
//   rule keep_best 2 lower val_loss         the name of the metric goes to the end of the line
#include "manager/rules.hpp"

#include "base/path.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <utility>

namespace ckpt::manager {
namespace {

constexpr std::string_view kMaxToKeep = "rule max_to_keep ";
constexpr std::string_view kEveryHours = "rule keep_every_n_hours ";
constexpr std::string_view kGridHours = "rule keep_time_grid_hours ";
constexpr std::string_view kEverySteps = "rule keep_every_n_steps ";
constexpr std::string_view kBest = "rule keep_best ";
constexpr std::string_view kAll = "all";
constexpr std::string_view kLower = "lower";
constexpr std::string_view kHigher = "higher";

// Each costs a sort of all checkpoints.
constexpr std::size_t kMostBest = 1000;

template <typename Number>
std::optional<BadRule> not_at_least_one(const std::optional<Number>& value, const char* problem) {
  if (!value || *value >= 1) return std::nullopt;
  return BadRule{problem, std::to_string(*value)};
}

std::optional<BadRule> not_hours(const std::optional<double>& hours, const char* problem) {
  if (!hours || (std::isfinite(*hours) && *hours > 0)) return std::nullopt;
  return BadRule{problem, std::to_string(*hours)};
}

std::optional<BadRule> find_bad_best(const std::vector<KeepBest>& rules) {
  if (rules.size() > kMostBest) return BadRule{"keep_best has more than 1000 rules", std::to_string(rules.size())};
  for (const KeepBest& best : rules) {
    if (const char* reason = base::why_not_a_key(best.metric)) {
      return BadRule{std::string{"keep_best needs the name of a metric: "} + reason, base::escape(best.metric)};
    }
    if (auto bad = not_at_least_one(std::optional{best.count}, "the count of keep_best must be at least 1")) return bad;
  }
  return std::nullopt;
}

void append(std::string& text, std::string_view rule, std::string_view value) {
  text += rule;
  text += value;
  text += '\n';
}

/// Takes what is before the next `end`, and that.
std::string_view take_word(std::string_view& text, char end) {
  const std::string_view word = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

// Loose: what it makes of a wrong text is another text when it is formatted again.
template <typename Number>
Number number(std::string_view word) {
  Number value{};
  std::from_chars(word.data(), word.data() + word.size(), value);
  return value;
}

void parse_rule(std::string_view line, RetentionRules& rules) {
  const auto value_of = [line](std::string_view rule) { return line.substr(rule.size()); };
  if (line.starts_with(kMaxToKeep) && value_of(kMaxToKeep) != kAll)
    rules.max_to_keep = number<int>(value_of(kMaxToKeep));
  if (line.starts_with(kEveryHours)) rules.keep_every_n_hours = number<double>(value_of(kEveryHours));
  if (line.starts_with(kGridHours)) rules.keep_time_grid_hours = number<double>(value_of(kGridHours));
  if (line.starts_with(kEverySteps)) rules.keep_every_n_steps = number<std::int64_t>(value_of(kEverySteps));
  if (!line.starts_with(kBest)) return;
  std::string_view rest = value_of(kBest);
  KeepBest best;
  best.count = number<int>(take_word(rest, ' '));
  best.better = take_word(rest, ' ') == kLower ? Better::lower : Better::higher;
  best.metric = rest;
  rules.keep_best.push_back(std::move(best));
}

}  // namespace

RetentionRules rules_of(const ManagerOptions& options) {
  return {options.max_to_keep, options.keep_every_n_hours, options.keep_time_grid_hours, options.keep_every_n_steps,
          options.keep_best};
}

std::optional<BadRule> find_bad_rule(const RetentionRules& rules) {
  auto bad = not_at_least_one(rules.max_to_keep, "max_to_keep must be at least 1, or nothing to keep all");
  if (!bad) bad = not_hours(rules.keep_every_n_hours, "keep_every_n_hours must be more than 0, or nothing");
  if (!bad) bad = not_hours(rules.keep_time_grid_hours, "keep_time_grid_hours must be more than 0, or nothing");
  if (!bad) bad = not_at_least_one(rules.keep_every_n_steps, "keep_every_n_steps must be at least 1, or nothing");
  return bad ? bad : find_bad_best(rules.keep_best);
}

std::string format_rules(const RetentionRules& rules) {
  std::string text;
  append(text, kMaxToKeep, rules.max_to_keep ? std::to_string(*rules.max_to_keep) : std::string{kAll});
  if (rules.keep_every_n_hours) append(text, kEveryHours, base::shortest(*rules.keep_every_n_hours));
  if (rules.keep_time_grid_hours) append(text, kGridHours, base::shortest(*rules.keep_time_grid_hours));
  if (rules.keep_every_n_steps) append(text, kEverySteps, std::to_string(*rules.keep_every_n_steps));
  for (const KeepBest& best : rules.keep_best) {
    const std::string_view better = best.better == Better::lower ? kLower : kHigher;
    append(text, kBest, std::to_string(best.count) + " " + std::string{better} + " " + best.metric);
  }
  return text;
}

std::optional<RetentionRules> parse_rules(std::string_view text) {
  RetentionRules rules;
  for (std::string_view rest = text; !rest.empty();) parse_rule(take_word(rest, '\n'), rules);
  if (find_bad_rule(rules) || format_rules(rules) != text) return std::nullopt;
  return rules;
}

}  // namespace ckpt::manager
