#include "os/block_writer.hpp"

#include "base/checked.hpp"
#include "base/stream_copy.hpp"
#include "os/file.hpp"
#include "os/memory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <new>

namespace ckpt::os {
namespace {

static_assert(kHugePage % BlockWriter::kBlockBytes == 0);

bool set_direct(int fd, bool on) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && ::fcntl(fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

}  // namespace

int write_all(int fd, std::span<const std::byte> data, std::uint64_t offset) noexcept {
  while (!data.empty()) {
    const ssize_t moved = ::pwrite(fd, data.data(), std::min(data.size(), kMostPerCall), static_cast<off_t>(offset));
    if (moved < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    if (moved == 0) return EIO;  // no system does this; better an error than a loop without end
    data = data.subspan(static_cast<std::size_t>(moved));
    offset += static_cast<std::uint64_t>(moved);
  }
  return 0;
}

// The caller holds one block at most, so there always is one for lent data. These may be all that a small file needs;
// huge pages would be cleared for it.
BlockWriter::BlockWriter(int fd, unsigned cores) : fd_{fd}, cores_{std::min(cores, kMostCores)} {
  while (block_count_ < 2) {
    if (!add_memory(kBlockBytes)) throw std::bad_alloc{};
  }
}

BlockWriter::~BlockWriter() { finish(); }

std::byte* BlockWriter::acquire() noexcept {
  Lock lock{mutex_};
  while (error_ == 0) {
    if (std::byte* block = take_free()) return block;
    done_.wait(lock);
  }
  return nullptr;
}

void BlockWriter::submit(std::byte* block, std::size_t size, std::uint64_t offset) noexcept {
  Lock lock{mutex_};
  add_job({block, size, offset});
  start_threads(1);
  work_without_threads(lock);
}

void BlockWriter::lend(std::span<const std::byte> data, std::uint64_t offset, std::size_t piece_size,
                       const Work& work) noexcept {
  Lock lock{mutex_};
  lent_ = {data, offset, piece_size, 0, &work};
  start_threads(2 * base::divide_up(data.size(), kBlockBytes));  // to copy, and to write
  for (unsigned i = 0; i < cores_; ++i) work_.notify_one();
  work_without_threads(lock);
}

void BlockWriter::take_back() noexcept {
  Lock lock{mutex_};
  done_.wait(lock, [this] { return lent_.data.empty() && copying_ == 0; });
}

int BlockWriter::finish() noexcept {
  {
    const Lock lock{mutex_};
    ending_ = true;
    work_.notify_all();
  }
  threads_.clear();  // joins
  if (direct_.exchange(false)) set_direct(fd_, false);
  return error_;
}

// The process may have no more threads: then fewer do.
void BlockWriter::start_threads(std::uint64_t wanted) noexcept {
  if (!started_) direct_ = set_direct(fd_, true);
  started_ = true;
  const std::size_t most = kInFlight + cores_;
  try {
    threads_.reserve(most);
    for (; wanted > idle_ && threads_.size() < most; --wanted) threads_.emplace_back([this] { run(); });
  } catch (const std::exception&) {
  }
}

void BlockWriter::work_without_threads(Lock& lock) noexcept {
  while (threads_.empty() && has_work()) do_work(lock);
}

void BlockWriter::run() noexcept {
  Lock lock{mutex_};
  while (true) {
    ++idle_;
    work_.wait(lock, [this] { return has_work() || (ending_ && is_all_begun()); });
    --idle_;
    if (!has_work()) return;
    do_work(lock);
  }
}

bool BlockWriter::can_write() const noexcept { return job_count_ > 0 && writing_ < kInFlight; }
bool BlockWriter::can_copy() const noexcept {
  return !lent_.data.empty() && copying_ < cores_ && (free_count_ > 0 || block_count_ < most_blocks_);
}
bool BlockWriter::has_work() const noexcept { return can_write() || can_copy(); }
bool BlockWriter::is_all_begun() const noexcept { return job_count_ == 0 && lent_.data.empty() && copying_ == 0; }

// Writing comes first: the device must not wait for the cores.
void BlockWriter::do_work(Lock& lock) noexcept {
  if (can_write()) {
    write_block(lock);
  } else {
    copy_part(lock);
  }
}

void BlockWriter::write_block(Lock& lock) noexcept {
  const Job job = jobs_.front();
  std::copy(jobs_.begin() + 1, jobs_.begin() + static_cast<std::ptrdiff_t>(job_count_--), jobs_.begin());
  ++writing_;
  int error = error_;
  lock.unlock();
  if (error == 0) error = write(job);
  lock.lock();
  --writing_;
  if (error_ == 0) error_ = error;
  free_[free_count_++] = job.block;
  wake();
}

void BlockWriter::copy_part(Lock& lock) noexcept {
  std::byte* block = take_free();
  if (block == nullptr) return;  // no more can be had: somebody comes back when one is written
  Lent part = lent_;
  part.data = part.data.first(std::min(part.data.size(), kBlockBytes));
  lent_.data = lent_.data.subspan(part.data.size());
  lent_.offset += part.data.size();
  lent_.first_piece += part.data.size() / part.piece_size;
  ++copying_;
  const bool failed = error_ != 0;
  lock.unlock();
  if (!failed) copy(part, block);
  lock.lock();
  --copying_;
  add_job({block, part.data.size(), part.offset});
  wake();
}

void BlockWriter::copy(const Lent& part, std::byte* block) noexcept {
  for (std::size_t i = 0; i < part.data.size() / part.piece_size; ++i) {
    const auto piece = part.data.subspan(i * part.piece_size, part.piece_size);
    (*part.work)(part.first_piece + i, piece);
    base::stream_copy(block + i * part.piece_size, piece.data(), piece.size());
  }
}

void BlockWriter::add_job(const Job& job) noexcept {
  jobs_[job_count_++] = job;
  if (can_write()) work_.notify_one();
}

// After a block was written, or filled.
void BlockWriter::wake() noexcept {
  if (has_work()) work_.notify_one();
  if (ending_ && is_all_begun()) work_.notify_all();
  done_.notify_one();
}

std::byte* BlockWriter::take_free() noexcept {
  if (free_count_ == 0) add_blocks();
  return free_count_ == 0 ? nullptr : free_[--free_count_];
}

// Huge pages mean fewer faults for whoever fills a block and fewer segments for the device; a kernel without them
// refuses, which does no harm. A process that gets no more memory goes on with the blocks that it has, and asks for no
// more.
void BlockWriter::add_blocks() noexcept {
  if (block_count_ < most_blocks_ && !add_memory(kHugePage) && !add_memory(kBlockBytes)) most_blocks_ = block_count_;
}

bool BlockWriter::add_memory(std::size_t size) noexcept {
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(size, size));
  if (memory == nullptr) return false;
  if (size == kHugePage) prefer_huge_pages({memory, size});
  memory_[memory_count_++].reset(memory);
  const std::size_t blocks = std::min(size / kBlockBytes, kBlocks - block_count_);
  for (std::size_t i = 0; i < blocks; ++i) free_[free_count_++] = memory + i * kBlockBytes;
  block_count_ += blocks;
  return true;
}

int BlockWriter::write(const Job& job) noexcept {
  const std::span data{job.block, job.size};
  int error = write_all(fd_, data, job.offset);
  if (error == EINVAL && direct_) {
    set_direct(fd_, false);  // before direct_ says so: the other thread may be about to try again, too
    direct_ = false;
  }
  if (error == EINVAL) error = write_all(fd_, data, job.offset);
  // Only a hint: what fails here fails again, for good, in fsync.
  if (error == 0 && !direct_) {
    ::sync_file_range(fd_, static_cast<off_t>(job.offset), static_cast<off_t>(job.size), SYNC_FILE_RANGE_WRITE);
  }
  return error;
}

}  // namespace ckpt::os
