// Identifiers of files.
#pragma once

#include <array>
#include <cstddef>
#include <string>

namespace ckpt {

/// Universally unique identifier of a file, as raw bytes.
using Uuid = std::array<std::byte, 16>;

/// 8-4-4-4-12 hexadecimal digits.
std::string to_string(const Uuid& uuid);

}  // namespace ckpt
