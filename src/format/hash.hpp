// The checksum function that the format is computed with; io hands it in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ckpt::format {

/// XXH3-64 with a seed.
using Hash = std::uint64_t (*)(std::span<const std::byte> data, std::uint64_t seed) noexcept;

}  // namespace ckpt::format
