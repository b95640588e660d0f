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
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace ckpt::io {

/// Whole tensors with copies of their data. A tensor alone keeps as many threads busy as it has chunks, and most have
/// few. One owner, one thread at a time.
class TensorBatch {
 public:
  /// For so many bytes of data.
  explicit TensorBatch(std::size_t capacity) : capacity_{capacity} {}

  bool is_empty() const noexcept { return tensors_.empty(); }
  bool could_take(std::uint64_t size) const noexcept { return size < capacity_; }
  bool has_room_for(std::uint64_t size) const noexcept {
    return size <= capacity_ - data_.size() && tensors_.size() + aliases_.size() < kMostTensors;
  }
  bool contains(std::string_view path) const { return paths_.contains(path); }
  /// How many threads have something to do: for little data, starting one takes longer than what it does.
  std::size_t useful_threads() const noexcept {
    constexpr std::size_t kWorthAThread = std::size_t{64} << 10U;
    return data_.size() / kWorthAThread + 1;
  }

  /// The arguments of TensorWriter's constructor follow; `data`, for which there must be room, is copied.
  template <typename... Args>
  void add(std::span<const std::byte> data, const std::optional<BlockType>& block, Args&&... args) {
    data_.reserve(capacity_);  // once: tensors keep spans of it
    data_.insert(data_.end(), data.begin(), data.end());
    const auto kept = std::span{data_}.last(data.size());
    paths_.insert(tensors_.emplace_back(kept, block, std::forward<Args>(args)...).writer.path());
  }

  /// A second path for a tensor that waits, or was added to the index before, or for such a path.
  void add_alias(std::string_view path, std::string_view existing) {
    paths_.insert(aliases_.emplace_back(path, existing).first);
  }

  /// Compresses all with these encoders, one a thread, writes them in the order in which they came, and adds them to
  /// `index`. What this throws, the file does not survive.
  void flush(std::span<codec::ChunkEncoder> encoders, format::IndexBuilder& index);
  void clear() noexcept;

 private:
  struct Waiting {
    template <typename... Args>
    Waiting(std::span<const std::byte> bytes, std::optional<BlockType> its_block, Args&&... args)
        : data{bytes}, block{std::move(its_block)}, writer{std::forward<Args>(args)...} {}

    std::span<const std::byte> data;
    std::optional<BlockType> block;
    TensorWriter writer;
  };

  void choose(std::span<codec::ChunkEncoder> encoders);
  void write(std::span<codec::ChunkEncoder> encoders);

  static constexpr std::size_t kMostTensors = 4096;  // each takes some memory besides its data

  std::size_t capacity_;
  std::vector<std::byte> data_;
  std::deque<Waiting> tensors_;
  std::deque<std::pair<std::string, std::string>> aliases_;  // path, and what has it before
  std::unordered_set<std::string_view> paths_;               // of tensors_ and aliases_
};

}  // namespace ckpt::io
