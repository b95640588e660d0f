#include "io/transfer.hpp"

#include "base/checked.hpp"
#include "base/parallel.hpp"
#include "io/tensor_reader.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace ckpt::io {
namespace {

// A thread is worth its start for about so much.
constexpr std::uint64_t kBytesAThread = std::uint64_t{1} << 20U;

// With fewer threads that wait for it, a device has nothing to do now and then.
constexpr unsigned kReadsInFlight = 12;

// Chunks that are asked for before they are needed: enough to keep a device busy.
constexpr std::size_t kAhead = 8;

struct Unit {
  std::uint32_t transfer;
  std::uint32_t chunk;
};

class Run {
 public:
  Run(const Source& source, const format::IndexView& index, std::span<const Transfer> transfers, bool verify)
      : transfers_{transfers}, verify_{verify} {
    readers_.reserve(transfers.size());
    for (std::uint32_t i = 0; i < transfers.size(); ++i) {
      const format::TensorRecord& record = transfers[i].record;
      readers_.emplace_back(source, index, record);
      // Aliases of one tensor can promise any amount.
      bytes_ = (base::Checked{bytes_} + record.data_size).get().value_or(bytes_);
      for (std::uint32_t chunk = 0; chunk < record.chunk_count; ++chunk) units_.push_back({i, chunk});
    }
  }

  void run(unsigned threads) {
    for (std::size_t i = 0; i < std::min(kAhead, units_.size()); ++i) prefetch(i);
    base::deal_out(units_.size(), count(threads), [this] {
      return [this, scratch = TensorReader::Scratch{}](std::size_t i) mutable {
        if (i + kAhead < units_.size()) prefetch(i + kAhead);
        move(units_[i], scratch);
      };
    });
  }

 private:
  // Asking for the number of cores takes as long as opening a file.
  unsigned count(unsigned threads) const {
    const std::uint64_t worthwhile = bytes_ / kBytesAThread + 1;
    if (worthwhile == 1) return 1;
    return static_cast<unsigned>(std::min<std::uint64_t>(threads_that_read(threads), worthwhile));
  }

  void prefetch(std::size_t unit) const { readers_[units_[unit].transfer].prefetch(units_[unit].chunk); }

  void move(const Unit& unit, TensorReader::Scratch& scratch) const {
    const TensorReader& reader = readers_[unit.transfer];
    if (const auto& destination = transfers_[unit.transfer].destination) {
      reader.read_chunk(unit.chunk, *destination, verify_, scratch);
    } else {
      reader.verify(unit.chunk, scratch.stored);
    }
  }

  std::span<const Transfer> transfers_;
  bool verify_;
  std::vector<TensorReader> readers_;
  std::vector<Unit> units_;
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
