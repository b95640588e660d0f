// A manager's state file, and names of files in its directory.
#include "fuzz.hpp"
#include "manager/file_names.hpp"
#include "manager/rules.hpp"
#include "manager/state.hpp"

#include <support/errors.hpp>

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace {

using Rules = std::optional<ckpt::RetentionRules>;

void require_same_rules(const Rules& a, const Rules& b) {
  if (a.has_value() != b.has_value()) std::abort();
  if (a && ckpt::manager::format_rules(*a) != ckpt::manager::format_rules(*b)) std::abort();
}

/// What is taken for a file of a manager has the name that this manager gives.
void require_own_name(std::string_view file) {
  using ckpt::manager::NameKind;
  const auto parsed = ckpt::manager::parse_file_name(file);
  if (!parsed) return;
  ckpt::manager::require_manager_name(parsed->manager);
  const std::string checkpoint = ckpt::manager::checkpoint_file(parsed->manager, parsed->number);
  const std::string expected = parsed->kind == NameKind::state ? ckpt::manager::state_file(parsed->manager)
                               : parsed->kind == NameKind::pin ? ckpt::manager::pin_file(checkpoint)
                                                               : checkpoint;
  if (expected != file) std::abort();
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto number = ckpt::manager::number_of("test", text);
  if (number && ckpt::manager::checkpoint_file("test", *number) != text) std::abort();
  require_own_name(text);
  // Without the checksum, so that the fuzzer comes further.
  if (const auto rules = ckpt::manager::parse_rules(text)) {
    if (ckpt::manager::find_bad_rule(*rules) || ckpt::manager::format_rules(*rules) != text) std::abort();
  }
  ckpt::test::error_of([&] {
    const ckpt::manager::ParsedState state = ckpt::manager::parse_state(text, "test");
    if (!state.problem.empty()) return;
    // What was believed is written and read again as the same.
    const auto again = ckpt::manager::parse_state(ckpt::manager::format_state(state.state), "test");
    if (!again.problem.empty() || again.state.entries.size() != state.state.entries.size()) std::abort();
    if (again.state.last_preserved != state.state.last_preserved) std::abort();
    require_same_rules(state.state.rules, again.state.rules);
  });
  return 0;
}
