// The list of checkpoints at the start: from the state file, and from the directory when that cannot be believed.
#pragma once

#include "manager/state.hpp"
#include "os/directory.hpp"

#include <ckpt/manager.hpp>

#include <optional>
#include <string_view>

namespace ckpt::manager {

/// What the state file says. Throws io, unsupported.
ParsedState read_state(const os::Directory& directory, std::string_view name);

/// Atomically. Throws io.
void write_state(const os::Directory& directory, std::string_view name, const State& state, bool durable);

/// Leaves out files that are gone, and settles which of the others are too old for a clock that says `now` (seconds
/// since 1970). `last_preserved` is set.
void settle(const os::Directory& directory, std::string_view name, State& state, double now);

/// Every checkpoint of that name in the directory, by number, without times.
Entries scan(const os::Directory& directory, std::string_view name);

/// All of `found`, which are by number, and of `listed`, oldest first: those that are not listed go before the list, or
/// behind it when their number is larger than any in it (a program was killed after it wrote a checkpoint and before it
/// wrote the state). Nothing is twice.
Entries in_order(const Entries& found, const Entries& listed);

/// The newest checkpoint for those who only read: that of the state, or of the directory when there is no good state.
/// Logs nothing. Throws io, unsupported.
std::optional<std::string> newest_file(const os::Directory& directory, std::string_view name);

struct LoadedState {
  State state;
  bool rebuilt = false;  ///< from the directory: the state file says nothing of it
};

/// The state for a manager that starts at `now` (seconds since 1970), without files that are gone. Rebuilt from the
/// newest files of the directory, and then logged, when the state file is missing or damaged. Clocks that went back are
/// dealt with, and other files adopted where the options say so. `last_preserved` is set. Throws io, unsupported.
LoadedState load_state(const os::Directory& directory, const ManagerOptions& options, double now);

}  // namespace ckpt::manager
