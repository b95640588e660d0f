// Names of the files of a manager: `<name>-<number>.ckpt`, `<name>-<number>.ckpt.pin`, and `<name>.state`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ckpt::manager {

/// Locked by the manager of a directory while it lives.
inline constexpr const char* kLockFile = ".ckpt.lock";

std::string checkpoint_file(std::string_view name, std::int64_t number);
std::string pin_file(std::string_view checkpoint_file);
std::string state_file(std::string_view name);

/// The number in a file name; nothing unless it is exactly what checkpoint_file() gives for some number (no sign, no
/// leading zeros, no overflow, nothing before or after).
std::optional<std::int64_t> number_of(std::string_view name, std::string_view file);

enum class NameKind : std::uint8_t { checkpoint, pin, state };

struct FileName {
  NameKind kind;
  std::string manager;
  std::int64_t number = 0;  ///< not of a state
};

/// What a file is by its name, whoever its manager; nothing for a name that no manager gives.
std::optional<FileName> parse_file_name(std::string_view file);

/// Throws invalid_argument when files cannot be named so.
void require_manager_name(std::string_view name);

}  // namespace ckpt::manager
