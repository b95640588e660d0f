// From errno to an Error that says what to do.
#pragma once

#include <ckpt/error.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace ckpt::os {

/// Throws the Error for `system_error` (an errno value) of the call that `problem` describes ("cannot write"). ENOENT
/// becomes not_found, EEXIST already_exists, all others io.
[[noreturn]] void throw_system_error(int system_error, std::string problem, const std::filesystem::path& file,
                                     std::optional<std::uint64_t> offset = std::nullopt);

}  // namespace ckpt::os
