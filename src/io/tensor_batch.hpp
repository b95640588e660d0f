// Tensors that wait until there are enough of them for all threads to compress.
#pragma once

#include "codec/chunk.hpp"
#include "format/index_builder.hpp"
#include "io/tensor_writer.hpp"

#include <ckpt/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace ckpt::io {

/// Whole tensors with copies of their data. A tensor alone keeps as many threads busy as it has chunks, and most have
/// few. One owner, one thread at a time.
class TensorBatch {
 public:
  /// For so many bytes of data, and what goes with it.
  explicit TensorBatch(std::uint64_t capacity) : capacity_{capacity} {}

  bool is_empty() const noexcept { return tensors_.empty(); }
  bool is_full() const noexcept { return bytes_ >= capacity_; }
  bool takes(std::uint64_t size) const noexcept { return size < capacity_; }
  bool contains(std::string_view path) const { return paths_.contains(path); }
  /// An upper bound of the chunks that can be compressed at a time.
  std::size_t chunk_count() const noexcept { return chunk_count_; }

  /// The arguments of TensorWriter's constructor follow; `data` is copied.
  template <typename... Args>
  void add(std::span<const std::byte> data, const std::optional<BlockType>& block, Args&&... args) {
    Waiting& tensor = tensors_.emplace_back(data, block, std::forward<Args>(args)...);
    paths_.insert(tensor.writer.path());
    constexpr std::size_t kWithIt = 512;
    bytes_ += data.size() + kWithIt;
    chunk_count_ += tensor.writer.chunk_count();
  }

  /// Compresses all with these encoders, one a thread, writes them in the order in which they came, and adds them to
  /// `index`. What this throws, the file does not survive.
  void flush(std::span<codec::ChunkEncoder> encoders, format::IndexBuilder& index);
  void clear() noexcept;

 private:
  struct Waiting {
    template <typename... Args>
    Waiting(std::span<const std::byte> bytes, std::optional<BlockType> its_block, Args&&... args)
        : data{bytes.begin(), bytes.end()}, block{std::move(its_block)}, writer{std::forward<Args>(args)...} {}

    std::vector<std::byte> data;
    std::optional<BlockType> block;
    TensorWriter writer;
  };

  void choose(std::span<codec::ChunkEncoder> encoders);
  void write(std::span<codec::ChunkEncoder> encoders);

  std::uint64_t capacity_;
  std::deque<Waiting> tensors_;
  std::unordered_set<std::string_view> paths_;  // of tensors_
  std::uint64_t bytes_ = 0;
  std::size_t chunk_count_ = 0;
};

}  // namespace ckpt::io
