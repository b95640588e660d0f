// Rules of retention in words, and as JSON.
#pragma once

#include "json.hpp"

#include <ckpt/retention.hpp>

#include <string>

namespace ckptdump {

/// "the newest 3, the best 2 by loss (lower), pinned ones".
std::string rules_text(const ckpt::RetentionRules& rules);

/// An object member "rules".
void write_rules(JsonWriter& json, const ckpt::RetentionRules& rules);

}  // namespace ckptdump
