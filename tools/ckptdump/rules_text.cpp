#include "rules_text.hpp"

#include "text.hpp"

#include <fmt/format.h>

#include <vector>

namespace ckptdump {
namespace {

const char* better_text(ckpt::Better better) { return better == ckpt::Better::lower ? "lower" : "higher"; }

}  // namespace

std::string rules_text(const ckpt::RetentionRules& rules) {
  if (!rules.max_to_keep) return "all";
  std::vector<std::string> texts{fmt::format("the newest {}", *rules.max_to_keep)};
  if (rules.keep_every_n_hours) texts.push_back(fmt::format("one each {} h for ever", *rules.keep_every_n_hours));
  if (rules.keep_time_grid_hours) texts.push_back(fmt::format("the first of each {} h", *rules.keep_time_grid_hours));
  if (rules.keep_every_n_steps) texts.push_back(fmt::format("the first of each {} steps", *rules.keep_every_n_steps));
  for (const ckpt::KeepBest& best : rules.keep_best) {
    texts.push_back(
        fmt::format("the best {} by {} ({} is better)", best.count, escape(best.metric), better_text(best.better)));
  }
  return fmt::format("{}, pinned ones", fmt::join(texts, ", "));
}

void write_rules(JsonWriter& json, const ckpt::RetentionRules& rules) {
  json.begin_object("rules");
  if (rules.max_to_keep) json.member("max_to_keep", *rules.max_to_keep);
  if (rules.keep_every_n_hours) json.member("keep_every_n_hours", *rules.keep_every_n_hours);
  if (rules.keep_time_grid_hours) json.member("keep_time_grid_hours", *rules.keep_time_grid_hours);
  if (rules.keep_every_n_steps) json.member("keep_every_n_steps", *rules.keep_every_n_steps);
  json.begin_array("keep_best");
  for (const ckpt::KeepBest& best : rules.keep_best) {
    json.begin_object();
    json.text_member("metric", best.metric);
    json.member("count", best.count);
    json.member("better", better_text(best.better));
    json.end();
  }
  json.end();
  json.end();
}

}  // namespace ckptdump
