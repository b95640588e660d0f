// What a save writes: collected on the thread that uses the objects, written on any.
#pragma once

#include "graph/access.hpp"

#include <ckpt/checkpoint.hpp>
#include <ckpt/error.hpp>
#include <ckpt/object_graph.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt::graph {

/// Names, shapes and the object graph of a moment, and where the bytes lie: those are not copied.
struct Snapshot {
  /// What saves of the same objects share.
  struct Layout {
    std::vector<std::string> paths;  // of the tensors
    ObjectGraph graph;
  };
  struct Tensor {
    std::string_view path;  // of the layout
    DType dtype{};
    Shape shape;
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;  // keeps the bytes; null for memory that the caller lends
  };
  std::vector<Tensor> tensors;  // in the order of the file
  std::shared_ptr<const Layout> layout;

  /// Of all tensors. Gaps between blobs, and the index, are small against them.
  std::uint64_t total_bytes() const noexcept;
};

/// Whether a file that could not be written is to be tried once more, from its beginning.
using TryAgain = std::function<bool(const Error&)>;

/// Writes the snapshot to `path`, of which the directory must exist. `after_data` is called when the last byte of the
/// tensors was read and nothing has appeared yet; what it throws ends the save. Throws as Writer, when `try_again` does
/// not say otherwise.
void write_snapshot(const Snapshot& snapshot, const std::filesystem::path& path, const SaveOptions& options,
                    const std::function<void()>& after_data = {}, const TryAgain& try_again = {});

}  // namespace ckpt::graph
