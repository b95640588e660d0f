// Having mapped tensors in memory before they are used.
#pragma once

#include "format/header.hpp"
#include "io/source.hpp"

#include <cstddef>
#include <span>

namespace ckpt::io {

/// Has the index, with the sums of its pages, in memory when it returns. Nothing in read mode. Else as prefault().
void prefault_index(const Source& source, const format::Footer& footer, unsigned threads);

/// Has the index and the data of tensors, by their numbers, in memory when it returns, with as many threads as
/// threads_that_read(threads). `source` is mapped, and its file may become shorter meanwhile: throws corrupt then, and
/// io.
void prefault(const Source& source, const format::Footer& footer, std::span<const std::size_t> indices,
              unsigned threads);

}  // namespace ckpt::io
