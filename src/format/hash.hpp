// The checksum function that the format is computed with; io hands it in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace ckpt::format {

/// XXH3-64 with a seed.
using Hash = std::uint64_t (*)(std::span<const std::byte> data, std::uint64_t seed) noexcept;

/// Of a path, for tables of paths.
inline std::uint64_t hash_of(std::string_view path, Hash hash) noexcept {
  return hash(std::as_bytes(std::span{path}), 0);
}

}  // namespace ckpt::format
