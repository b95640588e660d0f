// The list of checkpoints that a manager keeps, as text in `<name>.state`:
//
//   ckpt-state 1
//   latest test-51.ckpt
//   active 1763875200.25 test-50.ckpt
//   active 1763875260.5 test-51.ckpt
//   checksum 9f86d081884c7d65
//
// One line an entry, oldest first; times are seconds since 1970 UTC; the checksum is the XXH3-64 of all bytes before
// that line. Entries are file names, never paths. A list may name files that rotation has removed since it was written:
// they are left out when it is read.
#pragma once

#include "os/directory.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt::manager {

struct Entry {
  std::string file;
  std::int64_t number = 0;
  double time = 0;
};

/// Oldest first; the last one is the latest.
using Entries = std::vector<Entry>;

std::string format_state(const Entries& entries);

/// What a state file says, or why it cannot be believed.
struct ParsedState {
  Entries entries;
  std::string problem;
};
/// Throws unsupported for a version that is whole and newer.
ParsedState parse_state(std::string_view text, std::string_view name);

/// Every checkpoint of that name in the directory, by number, with times from the files where they can be opened.
Entries scan(const os::Directory& directory, std::string_view name);

/// The state, without files that are gone; rebuilt from the newest `keep` files of the directory, and then logged, when
/// the state file is missing or damaged. Throws io, unsupported.
Entries load_state(const os::Directory& directory, std::string_view name, std::optional<std::size_t> keep);

}  // namespace ckpt::manager
