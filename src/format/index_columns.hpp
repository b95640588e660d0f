// The FlatBuffer of the index as spans. The only header that includes the generated code.
#pragma once

#include "format/page_checker.hpp"
#include "format/tensor_record.hpp"

#include <ckpt_generated.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace ckpt::format {

struct Columns {
  Geometry geometry;
  std::span<const fb::Tensor> tensors;
  std::span<const std::uint8_t> paths;
  std::span<const std::int64_t> dims;
  std::span<const std::uint64_t> chunk_sums;
  std::span<const std::uint32_t> frame_sizes;
  std::span<const fb::Block> blocks;
  std::span<const std::uint8_t> text;
  std::span<const fb::Metadata> metadata;
  std::span<const fb::Node> nodes;
  std::span<const fb::Edge> edges;
  std::span<const fb::Slot> slots;
  std::span<const fb::PathSlot> path_table;
};

/// Checks the root table and that each column lies, aligned, within the index. Touches the pages of the root table
/// only. Throws corrupt, or unsupported when the index uses what version 1 reserves.
Columns read_columns(std::span<const std::byte> index, std::uint64_t index_offset, PageChecker& pages);

/// The rest of what makes a FlatBuffer: the vectors' own lengths. Throws corrupt.
void check_lengths(std::span<const std::byte> index, std::uint64_t index_offset, PageChecker& pages);

}  // namespace ckpt::format
