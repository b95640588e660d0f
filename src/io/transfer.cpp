#include "io/transfer.hpp"

#include "base/checked.hpp"
#include "base/parallel.hpp"
#include "io/tensor_reader.hpp"
#include "os/direct_file.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace ckpt::io {
namespace {

// A thread is worth its start for about so much.
constexpr std::uint64_t kBytesAThread = std::uint64_t{1} << 20U;

// With fewer threads that wait for it, a device has nothing to do now and then.
constexpr unsigned kReadsInFlight = 12;

// What a thread has in memory before it uses it where it is mapped. A small file is shared out nevertheless.
constexpr std::uint64_t kMostMapped = std::uint64_t{2} << 20U;
constexpr std::uint64_t kLeastBatches = 16;

// What is worth reading past the page cache, which keeps what it reads for the next time and reads ahead: so much by
// one call, and so much of that side by side.
constexpr std::uint64_t kDirectFrom = std::uint64_t{4} << 20U;
constexpr std::uint64_t kLeastDirect = std::uint64_t{256} << 10U;

struct Unit {
  std::uint32_t transfer;
  std::uint32_t chunk;
};

// Units that lie one after the other in the file: one thread's work, and what is read at once when it is not in memory.
struct Batch {
  std::size_t first;    // of the units
  std::size_t last;     // and the one after them
  std::uint64_t begin;  // in the file
  std::uint64_t end;

  // Between them lies no more than what aligns a tensor.
  bool takes(const TensorReader::Range& range, std::uint64_t most) const noexcept {
    return range.offset >= end && range.offset - end < os::DirectFile::kAlignment &&
           range.offset + range.size - begin <= most;  // No wrap: ranges lie within the file
  }
};

class Run {
 public:
  Run(const Source& source, const format::IndexView& index, std::span<const Transfer> transfers, bool verify)
      : source_{source}, transfers_{transfers}, verify_{verify} {
    readers_.reserve(transfers.size());
    for (const Transfer& transfer : transfers) {
      readers_.emplace_back(source, index, transfer.record);
      // Aliases of one tensor can promise any amount.
      bytes_ = (base::Checked{bytes_} + transfer.record.data_size).get().value_or(bytes_);
    }
    const std::uint64_t most = source.is_mapped()
                                   ? std::clamp(bytes_ / kLeastBatches, os::DirectFile::kMostBytes, kMostMapped)
                                   : os::DirectFile::kMostBytes;
    for (const std::uint32_t i : by_place(transfers)) {
      for (std::uint32_t chunk = 0; chunk < transfers[i].record.chunk_count; ++chunk) add({i, chunk}, most);
    }
  }

  void run(unsigned threads) {
    base::deal_out(batches_.size(), count(threads), [this] {
      return [this, scratch = TensorReader::Scratch{}](std::size_t i) mutable { move(batches_[i], scratch); };
    });
  }

 private:
  static std::vector<std::uint32_t> by_place(std::span<const Transfer> transfers) {
    std::vector<std::uint32_t> order(transfers.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, {}, [&](std::uint32_t i) { return std::pair{transfers[i].record.blob_offset, i}; });
    return order;
  }

  void add(const Unit& unit, std::uint64_t most) {
    const TensorReader::Range range = readers_[unit.transfer].range(unit.chunk);
    if (batches_.empty() || !batches_.back().takes(range, most)) {
      batches_.push_back({units_.size(), units_.size(), range.offset, range.offset});
    }
    units_.push_back(unit);
    batches_.back().last = units_.size();
    batches_.back().end = range.offset + range.size;  // No wrap: see above
  }

  // Asking for the number of cores takes as long as opening a file.
  unsigned count(unsigned threads) const {
    const std::uint64_t worthwhile = bytes_ / kBytesAThread + 1;
    if (worthwhile == 1) return 1;
    return static_cast<unsigned>(std::min<std::uint64_t>(threads_that_read(threads), worthwhile));
  }

  void move(const Batch& batch, TensorReader::Scratch& scratch) const {
    const std::uint64_t size = batch.end - batch.begin;  // No wrap: see above
    source_.load(batch.begin, static_cast<std::size_t>(size), scratch.stored);
    scratch.direct.until = bytes_ >= kDirectFrom && size >= kLeastDirect ? batch.end : 0;
    for (std::size_t i = batch.first; i < batch.last; ++i) move(units_[i], scratch);
  }

  void move(const Unit& unit, TensorReader::Scratch& scratch) const {
    const TensorReader& reader = readers_[unit.transfer];
    if (const auto& destination = transfers_[unit.transfer].destination) {
      reader.read_chunk(unit.chunk, *destination, verify_, scratch);
    } else {
      reader.verify(unit.chunk, scratch.stored);
    }
  }

  const Source& source_;
  std::span<const Transfer> transfers_;
  bool verify_;
  std::vector<TensorReader> readers_;
  std::vector<Unit> units_;
  std::vector<Batch> batches_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

unsigned threads_that_read(unsigned wanted) noexcept {
  return wanted != 0 ? wanted : std::max(base::thread_count(0), kReadsInFlight);
}

void transfer(const Source& source, const format::IndexView& index, std::span<const Transfer> transfers, bool verify,
              unsigned threads) {
  Run{source, index, transfers, verify}.run(threads);
}

}  // namespace ckpt::io
