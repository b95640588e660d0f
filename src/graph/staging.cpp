#include "graph/staging.hpp"

#include "base/parallel.hpp"
#include "base/stream_copy.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <atomic>
#include <span>
#include <string>
#include <utility>

namespace ckpt::graph {
namespace {

// A cache line: threads that copy neighbours do not share one.
constexpr std::uint64_t kAlignment = 64;

std::uint64_t aligned(std::uint64_t size) noexcept { return (size + kAlignment - 1) / kAlignment * kAlignment; }

// Where each tensor goes, and the end.
std::vector<std::uint64_t> offsets_of(const Snapshot& snapshot) {
  std::vector<std::uint64_t> offsets{0};
  offsets.reserve(snapshot.tensors.size() + 1);
  for (const Snapshot::Tensor& tensor : snapshot.tensors) {
    offsets.push_back(offsets.back() + aligned(tensor.bytes.size()));
  }
  return offsets;
}

// The part of the tensors that goes to [begin, end) of the memory.
void copy_range(std::byte* to, const Snapshot& snapshot, std::span<const std::uint64_t> offsets, std::uint64_t begin,
                std::uint64_t end) noexcept {
  // Of tensors at one offset all but the last are empty.
  const auto after = std::ranges::upper_bound(offsets, begin);
  for (auto i = static_cast<std::size_t>(after - offsets.begin()) - 1; i < snapshot.tensors.size(); ++i) {
    if (offsets[i] >= end) return;
    const std::span<const std::byte> bytes = snapshot.tensors[i].bytes;
    const std::uint64_t from = std::max(begin, offsets[i]);
    const std::uint64_t until = std::min(end, offsets[i] + bytes.size());
    if (from < until) base::stream_copy(to + from, bytes.data() + (from - offsets[i]), until - from);
  }
}

}  // namespace

std::uint64_t staged_bytes(const Snapshot& snapshot) {
  std::uint64_t total = 0;
  for (const Snapshot::Tensor& tensor : snapshot.tensors) total += aligned(tensor.bytes.size());
  return total;
}

void copy_into(const os::Memory& memory, Snapshot& snapshot, unsigned threads) {
  // A thread is worth its start for some megabytes. Of pieces that small a core that does other things besides takes
  // fewer.
  constexpr std::uint64_t kPiece = std::uint64_t{4} << 20U;
  const std::vector<std::uint64_t> offsets = offsets_of(snapshot);
  const std::uint64_t total = offsets.back();
  std::atomic<std::uint64_t> next = 0;
  base::run_on(static_cast<unsigned>(std::min<std::uint64_t>(threads, total / kPiece + 1)), [&] {
    for (std::uint64_t at = next.fetch_add(kPiece); at < total; at = next.fetch_add(kPiece)) {
      copy_range(memory.data(), snapshot, offsets, at, std::min(at + kPiece, total));
    }
  });
  for (std::size_t i = 0; i < snapshot.tensors.size(); ++i) {
    Snapshot::Tensor& tensor = snapshot.tensors[i];
    tensor.bytes = {memory.data() + offsets[i], tensor.bytes.size()};
    tensor.owner.reset();
  }
}

void StagingPool::require_possible(std::uint64_t bytes) const {
  if (!max_bytes_ || os::Memory::rounded(bytes) <= *max_bytes_) return;
  throw Error{ErrorCode::limit,
              {.problem = "a copy of what is to be saved needs more staging memory than is allowed",
               .expected = "at most " + std::to_string(*max_bytes_) + " bytes (AsyncOptions::max_staging_bytes)",
               .found = std::to_string(os::Memory::rounded(bytes)),
               .advice = "raise the limit, lend the variables until the file is durable (SaveMode::hand_off), or use "
                         "Checkpoint::save"}};
}

os::Memory* StagingPool::take(std::uint64_t bytes) {
  Piece* best = nullptr;
  for (Piece& piece : pieces_) {
    if (piece.taken || piece.memory->size() < bytes) continue;
    if (best == nullptr || piece.memory->size() < best->memory->size()) best = &piece;
  }
  if (best == nullptr) {
    // The state has grown: a free piece is of no use any more, and others only while there is room.
    const std::uint64_t wanted = os::Memory::rounded(bytes);
    drop_free();
    while (!has_room(wanted)) {
      if (!drop_free()) return nullptr;
    }
    pieces_.push_back({std::make_unique<os::Memory>(bytes), false});
    best = &pieces_.back();
  }
  best->taken = true;
  return best->memory.get();
}

void StagingPool::give_back(const os::Memory* memory) noexcept {
  std::ranges::find(pieces_, memory, [](const Piece& piece) { return piece.memory.get(); })->taken = false;
}

void StagingPool::release() noexcept {
  while (drop_free()) {
  }
}

std::uint64_t StagingPool::bytes() const noexcept {
  std::uint64_t total = 0;
  for (const Piece& piece : pieces_) total += piece.memory->size();
  return total;
}

bool StagingPool::has_room(std::uint64_t bytes_more) const noexcept {
  return !max_bytes_ || bytes_more <= *max_bytes_ - bytes();
}

bool StagingPool::drop_free() noexcept {
  const auto piece = std::ranges::find(pieces_, false, &Piece::taken);
  if (piece == pieces_.end()) return false;
  pieces_.erase(piece);
  return true;
}

}  // namespace ckpt::graph
