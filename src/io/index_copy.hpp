// The index of a file as it is now, read explicitly.
#pragma once

#include "format/header.hpp"
#include "format/index_view.hpp"
#include "io/source.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace ckpt::io {

/// A copy of the index, and of the sums of its pages, in memory of its own: the file may become shorter, the copy does
/// not. Immutable and thread-safe.
class IndexCopy {
 public:
  /// `file` is not mapped; `footer` is what it had when it was opened. Throws corrupt when it has another size by now,
  /// or other ends, and io.
  IndexCopy(const Source& file, const format::Footer& footer);
  IndexCopy(const IndexCopy&) = delete;
  IndexCopy& operator=(const IndexCopy&) = delete;

  const format::IndexView& view() const noexcept { return *view_; }

 private:
  std::vector<std::byte> memory_;
  std::optional<format::IndexView> view_;
};

}  // namespace ckpt::io
