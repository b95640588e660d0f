// The grammar of object paths, names and keys.
#pragma once

#include <string_view>

namespace ckpt::base {

/// Why `name` cannot be one component of an object path (or an edge), or nullptr when it can: UTF-8, not empty, not "."
/// or "..", no '/', no control characters, at most kMaxPathBytes.
const char* why_not_a_name(std::string_view name) noexcept;

/// The same for a whole path: names joined by single '/'.
const char* why_not_a_path(std::string_view path) noexcept;

/// The same for a metadata key: UTF-8, not empty, no control characters, at most kMaxPathBytes.
const char* why_not_a_key(std::string_view key) noexcept;

}  // namespace ckpt::base
