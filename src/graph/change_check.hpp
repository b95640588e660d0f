// Finding out which variables were changed while a save relied on them.
#pragma once

#include "graph/snapshot.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace ckpt::graph {

/// A sum of each tensor, computed on up to `threads` threads.
std::vector<std::uint64_t> sums_of(std::span<const Snapshot::Tensor> tensors, unsigned threads);

/// Throws invalid_argument, naming the tensors, when sums differ. `until` is the moment up to which they must not
/// change.
void require_same(std::span<const Snapshot::Tensor> tensors, std::span<const std::uint64_t> before,
                  std::span<const std::uint64_t> after, const char* until);

}  // namespace ckpt::graph
