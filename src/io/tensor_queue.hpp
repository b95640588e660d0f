// Tensors that were added, until they are compressed and written.
#pragma once

#include "format/index_builder.hpp"
#include "io/pipeline.hpp"
#include "io/tensor_writer.hpp"

#include <ckpt/tensor.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace ckpt::io {

/// Keeps copies of their data, so that all threads compress while the next ones come: a tensor alone has work for as
/// many as it has chunks, and most have few. While it is not empty, the file is its pipeline's. One owner, one thread
/// at a time, in one process: a forked child has to leak it, as a Pipeline. What it throws, the file does not survive,
/// and the queue ends before the file does.
class TensorQueue {
 public:
  /// As Pipeline.
  TensorQueue(unsigned threads, int level, std::size_t chunk_bytes);

  /// For a tensor whose data stays where it is meanwhile; then all before it are written, too.
  Pipeline& pipeline() noexcept { return pipeline_; }

  bool is_empty() const noexcept { return tensors_.empty() && aliases_.empty(); }
  bool contains(std::string_view path) const { return paths_.contains(path); }
  /// Whether a copy of so much would not keep too many others out, and more than one thread gains by it. Takes the
  /// memory for all; where there is none, nothing is taken ever.
  bool can_take(std::uint64_t size) noexcept;

  /// The arguments of TensorWriter's constructor follow; `data`, which the queue can take, is copied. When there is
  /// no room, waits until the oldest are written, and adds them to `index`.
  template <typename... Args>
  void add(format::IndexBuilder& index, std::span<const std::byte> data, const std::optional<BlockType>& block,
           Args&&... args) {
    const std::span<std::byte> room = make_room(index, data.size());
    std::copy(data.begin(), data.end(), room.begin());
    submit(tensors_.emplace_back(room, block, std::forward<Args>(args)...));
  }

  /// A second path for a tensor that waits, or is in `index`, or for such a path.
  void add_alias(format::IndexBuilder& index, std::string_view path, std::string_view existing);

  /// Returns when all is written and in `index`.
  void finish(format::IndexBuilder& index);

 private:
  struct Waiting {
    template <typename... Args>
    Waiting(std::span<const std::byte> its_data, std::optional<BlockType> its_block, Args&&... args)
        : data{its_data},
          block{std::move(its_block)},
          writer{std::forward<Args>(args)...},
          job{writer.take_whole(data)} {}

    std::span<const std::byte> data;
    std::optional<BlockType> block;
    TensorWriter writer;
    TensorWriter::Part job;
    std::size_t number = 0;  // in the pipeline
  };

  std::span<std::byte> make_room(format::IndexBuilder& index, std::size_t size);
  std::optional<std::size_t> place_for(std::size_t size) const noexcept;
  void submit(Waiting& tensor);
  void take_finished(format::IndexBuilder& index);

  static constexpr std::size_t kMostTensors = 4096;  // each takes some memory besides its data

  std::size_t capacity_;
  std::unique_ptr<std::byte[]> data_;  // a ring of so many bytes
  std::size_t end_ = 0;                // of the newest's
  std::deque<Waiting> tensors_;
  std::deque<std::pair<std::string, std::string>> aliases_;  // path, and what has it before
  std::unordered_set<std::string_view> paths_;               // of tensors_ and aliases_
  Pipeline pipeline_;                                        // last: it ends before what it works on
};

}  // namespace ckpt::io
