// The list of checkpoints that a manager keeps, as text in `<name>.state`:
//
//   ckpt-state 1
//   latest test-51.ckpt
//   last_preserved 1763871600.5
//   rule max_to_keep 2
//   rule keep_best 1 lower loss
//   preserved 1763871600.5 test-2.ckpt
//   held 1763873000 test-20.ckpt
//   active 1763875200.25 test-50.ckpt
//   active 1763875260.5 test-51.ckpt
//   checksum 9f86d081884c7d65
//
// One line an entry, in the order of their saves; times are seconds since 1970 UTC; the checksum is the XXH3-64 of all
// bytes before that line. Entries are file names, never paths. A list may name files that were removed since it was
// written: they are left out when it is read. A file that is about to be removed is listed as `held`. The rules
// (rules.hpp) are those of the manager that wrote it last; a list may have none.
#pragma once

#include <ckpt/retention.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt::manager {

enum class Standing : std::uint8_t {
  active,     ///< among the newest, or not yet judged by keep_every_n_hours
  held,       ///< judged by it and let go: another rule keeps it, or it is being removed
  preserved,  ///< kept for ever
};

struct Entry {
  std::string file;
  std::int64_t number = 0;
  double time = 0;
  Standing standing = Standing::active;
};

/// Oldest first; the last one is the latest.
using Entries = std::vector<Entry>;

struct State {
  Entries entries;
  /// When the last one that keep_every_n_hours preserved was saved.
  std::optional<double> last_preserved;
  /// Those that the list was last written by, where it says so. A manager's own options go before them.
  std::optional<RetentionRules> rules;
};

std::string format_state(const State& state);

/// What a state file says, or why it cannot be believed.
struct ParsedState {
  State state;
  std::string problem;
};
/// Throws unsupported for a version that is whole and newer.
ParsedState parse_state(std::string_view text, std::string_view name);

}  // namespace ckpt::manager
