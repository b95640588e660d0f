// What the tensors of a file add up to.
#pragma once

#include "context.hpp"

#include <ckpt/reader.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace ckptdump {

/// Tensors that have a dtype or a codec in common.
struct Group {
  std::size_t tensors = 0;
  std::uint64_t bytes = 0;
  std::uint64_t stored_bytes = 0;
};

/// A file may have a block type for each tensor, all with long names.
inline constexpr std::size_t kMostDtypes = 100;

/// Of the selected tensors. Aliases count as tensors; their bytes and parameters count once, where they are owned.
struct Summary {
  std::size_t selected = 0;
  std::size_t aliases = 0;
  std::uint64_t parameters = 0;
  std::uint64_t bytes = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t padding = 0;              ///< of the whole file
  std::map<std::string, Group> by_dtype;  ///< of the first kMostDtypes
  Group other_dtypes;
  std::map<std::string, Group> by_codec;
};

Summary summarise(Context& context, const ckpt::Reader& reader);

}  // namespace ckptdump
