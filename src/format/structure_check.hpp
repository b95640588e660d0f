// What only a look at the whole index can tell.
#pragma once

#include "format/index_view.hpp"

#include <ckpt/error.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ckpt::format {

/// The outcome of check_structure.
struct Structure {
  struct Range {
    std::uint64_t offset;
    std::uint64_t size;
  };
  std::vector<Error> problems;
  std::vector<std::size_t> tensors;  ///< the owners of blobs whose records are sound, by offset in the file
  std::vector<Range> gaps;           ///< between blobs: must be zero
  std::size_t nameless = 0;          ///< tensors of which not even the path can be read
};

/// Checks every record, the order and uniqueness of paths, that blobs neither overlap nor leave holes, that the entries
/// of each pool are used exactly once, metadata and graph. `has_graph` and `has_zstd` are what the header's feature
/// bits say.
Structure check_structure(const IndexView& index, const Footer& footer, bool has_zstd, bool has_graph);

}  // namespace ckpt::format
