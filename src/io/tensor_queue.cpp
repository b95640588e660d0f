#include "io/tensor_queue.hpp"

#include <algorithm>
#include <new>

namespace ckpt::io {
namespace {

// Enough for all threads to have work while the next tensors come; nothing for one.
std::size_t capacity_for(unsigned threads, std::size_t chunk_bytes) {
  constexpr std::size_t kMost = std::size_t{128} << 20U;
  return threads == 1 ? 0 : std::min(kMost, std::size_t{8} * threads * chunk_bytes);
}

}  // namespace

TensorQueue::TensorQueue(unsigned threads, int level, std::size_t chunk_bytes)
    : capacity_{capacity_for(threads, chunk_bytes)}, pipeline_{threads, level, chunk_bytes} {}

bool TensorQueue::can_take(std::uint64_t size) noexcept {
  if (size > capacity_ / 2) return false;
  if (!data_ && capacity_ > 0) {
    pipeline_.reserve_memory();
    data_.reset(new (std::nothrow) std::byte[capacity_]);
    if (!data_) capacity_ = 0;
  }
  return data_ != nullptr;
}

std::span<std::byte> TensorQueue::make_room(format::IndexBuilder& index, std::size_t size) {
  auto place = place_for(size);
  while (!place || tensors_.size() == kMostTensors) {
    pipeline_.wait_for(tensors_.front().number);
    take_finished(index);
    place = place_for(size);
  }
  end_ = *place + size;
  return {data_.get() + *place, size};
}

// Behind the newest, or from the start of the ring on, and before the oldest.
std::optional<std::size_t> TensorQueue::place_for(std::size_t size) const noexcept {
  if (tensors_.empty()) return 0;
  const auto oldest = static_cast<std::size_t>(tensors_.front().data.data() - data_.get());
  const bool wrapped = end_ <= oldest;
  if (size <= (wrapped ? oldest : capacity_) - end_) return end_;
  if (!wrapped && size <= oldest) return 0;
  return std::nullopt;
}

void TensorQueue::submit(Waiting& tensor) {
  paths_.insert(tensor.writer.path());
  tensor.number = pipeline_.submit(tensor.job, tensor.data.size());
}

void TensorQueue::add_alias(format::IndexBuilder& index, std::string_view path, std::string_view existing) {
  if (aliases_.size() == kMostTensors) finish(index);
  paths_.insert(aliases_.emplace_back(path, existing).first);
}

void TensorQueue::take_finished(format::IndexBuilder& index) {
  const std::size_t finished = pipeline_.finished();
  while (!tensors_.empty() && tensors_.front().number <= finished) {
    Waiting& tensor = tensors_.front();
    const format::TensorRecord record = tensor.writer.finish();
    index.add(record, tensor.block ? &*tensor.block : nullptr, tensor.writer.chunk_sums(), tensor.writer.frame_sizes());
    paths_.erase(tensor.writer.path());
    tensors_.pop_front();
  }
}

void TensorQueue::finish(format::IndexBuilder& index) {
  if (is_empty()) return;
  if (!tensors_.empty()) pipeline_.wait_for(tensors_.back().number);
  take_finished(index);
  for (const auto& [path, existing] : aliases_) index.add_alias(path, index.find(existing).value());
  paths_.clear();
  aliases_.clear();
}

}  // namespace ckpt::io
