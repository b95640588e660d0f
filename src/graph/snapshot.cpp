#include "graph/snapshot.hpp"

#include <ckpt/writer.hpp>

namespace ckpt::graph {
namespace {

void write_once(const Snapshot& snapshot, const std::filesystem::path& path, const SaveOptions& options,
                const std::function<void()>& after_data) {
  WriterOptions writer_options = options.writer;
  // What will be compressed takes less, and must not fail for want of more.
  const bool as_it_is = options.writer.compression == Compression::none;
  writer_options.expected_bytes = as_it_is ? snapshot.total_bytes() : 0;
  Writer writer{path, writer_options};
  for (const auto& [key, value] : options.metadata) writer.set_metadata(key, value);
  for (const Snapshot::Tensor& tensor : snapshot.tensors) {
    writer.add(tensor.path, tensor.dtype, tensor.shape, tensor.bytes);
  }
  writer.set_graph(snapshot.layout->graph);
  if (after_data) after_data();
  writer.commit();
}

}  // namespace

std::uint64_t Snapshot::total_bytes() const noexcept {
  std::uint64_t total = 0;
  for (const Tensor& tensor : tensors) total += tensor.bytes.size();
  return total;
}

void write_snapshot(const Snapshot& snapshot, const std::filesystem::path& path, const SaveOptions& options,
                    const std::function<void()>& after_data, const TryAgain& try_again) {
  try {
    return write_once(snapshot, path, options, after_data);
  } catch (const Error& error) {
    if (!try_again || !try_again(error)) throw;
  }
  write_once(snapshot, path, options, after_data);
}

}  // namespace ckpt::graph
