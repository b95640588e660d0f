// Many tensors on their way out of a file at once, on all cores.
#pragma once

#include "format/index_view.hpp"
#include "io/source.hpp"

#include <cstddef>
#include <optional>
#include <span>

namespace ckpt::io {

struct Transfer {
  format::TensorRecord record;
  /// Of the size of the data; nothing: the sums are checked where the tensor lies, and nothing is copied.
  std::optional<std::span<std::byte>> destination;
};

/// What an option means that says how many threads read: 0 is one per core, or as many as keep a device busy.
unsigned threads_that_read(unsigned wanted) noexcept;

/// Shares out the chunks of all tensors to up to `threads` threads, in the order of the file. 0 threads are one per
/// core, or as many as keep a device busy. With `verify`, what is copied is checked against the sums, in the same pass.
/// Throws corrupt, io; destinations hold anything then.
void transfer(const Source& source, const format::IndexView& index, std::span<const Transfer> transfers, bool verify,
              unsigned threads);

}  // namespace ckpt::io
