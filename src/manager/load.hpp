// The list of checkpoints at the start: from the state file, and from the directory when that cannot be believed.
#pragma once

#include "manager/state.hpp"
#include "os/directory.hpp"

#include <ckpt/manager.hpp>

#include <optional>
#include <string_view>

namespace ckpt::manager {

/// Every checkpoint of that name in the directory, by number, without times.
Entries scan(const os::Directory& directory, std::string_view name);

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
