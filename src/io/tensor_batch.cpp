#include "io/tensor_batch.hpp"

#include "base/parallel.hpp"
#include "io/compress.hpp"

#include <atomic>

namespace ckpt::io {

void TensorBatch::flush(std::span<codec::ChunkEncoder> encoders, format::IndexBuilder& index) {
  choose(encoders);
  write(encoders);
  for (Waiting& tensor : tensors_) {
    const format::TensorRecord record = tensor.writer.finish();
    index.add(record, tensor.block ? &*tensor.block : nullptr, tensor.writer.chunk_sums(), tensor.writer.frame_sizes());
  }
  for (const auto& [path, existing] : aliases_) index.add_alias(path, index.find(existing).value());
  clear();
}

void TensorBatch::clear() noexcept {
  paths_.clear();
  aliases_.clear();
  tensors_.clear();
  data_.clear();
}

void TensorBatch::choose(std::span<codec::ChunkEncoder> encoders) {
  std::atomic<std::size_t> next_encoder = 0;
  base::deal_out(tensors_.size(), static_cast<unsigned>(encoders.size()), [&] {
    return [&, &encoder = encoders[next_encoder++]](std::size_t i) {
      Waiting& tensor = tensors_[i];
      if (!tensor.writer.is_decided()) tensor.writer.choose(tensor.data, encoder);
    };
  });
}

void TensorBatch::write(std::span<codec::ChunkEncoder> encoders) {
  struct Part {
    Waiting* tensor;
    std::size_t chunk;
  };
  std::vector<Part> parts;  // what is stored is one, however large
  for (Waiting& tensor : tensors_) {
    const std::size_t count = tensor.writer.is_compressed() ? tensor.writer.chunk_count() : 1;
    for (std::size_t i = 0; i < count; ++i) parts.push_back({&tensor, i});
  }
  const auto encode = [&](std::size_t i, codec::ChunkEncoder& encoder) {
    const auto& [tensor, chunk] = parts[i];
    return tensor->writer.is_compressed() ? tensor->writer.encode(tensor->data, chunk, encoder) : EncodedChunk{};
  };
  const std::size_t most_kept = capacity_ / 4;  // as a tensor alone: two chunks a thread
  compress_in_order(parts.size(), encoders, most_kept, encode, [&](std::size_t i, const EncodedChunk& encoded) {
    Waiting& tensor = *parts[i].tensor;
    if (tensor.writer.is_compressed()) return tensor.writer.append_encoded(encoded);
    tensor.writer.append(tensor.data);
  });
}

}  // namespace ckpt::io
