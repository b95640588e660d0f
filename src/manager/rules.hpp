// The rules of retention: whether they make sense, and as lines of the state file.
#pragma once

#include <ckpt/manager.hpp>
#include <ckpt/retention.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace ckpt::manager {

RetentionRules rules_of(const ManagerOptions& options);

struct BadRule {
  std::string problem;
  std::string found;
};
std::optional<BadRule> find_bad_rule(const RetentionRules& rules);

/// What the lines of rules begin with.
inline constexpr std::string_view kRule = "rule ";

/// A line each. The first is always there.
std::string format_rules(const RetentionRules& rules);

/// Nothing for any text that format_rules() does not give for rules that make sense.
std::optional<RetentionRules> parse_rules(std::string_view text);

}  // namespace ckpt::manager
