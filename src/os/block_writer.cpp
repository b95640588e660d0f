#include "os/block_writer.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <system_error>

namespace ckpt::os {
namespace {

// More than any device or file system asks of memory for direct I/O.
constexpr std::size_t kHugePage = std::size_t{2} << 20U;
static_assert(BlockWriter::kBlockBytes % kHugePage == 0);

// Linux moves at most this much in one call.
constexpr std::size_t kMostPerCall = 0x7ffff000;

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

BlockWriter::~BlockWriter() { finish(); }

std::byte* BlockWriter::acquire() {
  std::unique_lock lock{mutex_};
  if (free_.empty() && blocks_.size() < kBlocks) {
    free_.reserve(kBlocks);
    blocks_.reserve(kBlocks);
    auto* memory = static_cast<std::byte*>(std::aligned_alloc(kHugePage, kBlockBytes));
    if (memory == nullptr) throw std::bad_alloc{};
    // Fewer faults for the caller and fewer segments for the device; a kernel without huge pages refuses, which does no
    // harm. The first block may be all that a small file needs, and need not be cleared by the megabyte for that.
    if (!blocks_.empty()) ::madvise(memory, kBlockBytes, MADV_HUGEPAGE);
    blocks_.emplace_back(memory);
    return memory;
  }
  changed_.wait(lock, [this] { return !free_.empty(); });
  std::byte* block = free_.back();
  free_.pop_back();
  return error_ == 0 ? block : nullptr;
}

void BlockWriter::submit(std::byte* block, std::size_t size, std::uint64_t offset) {
  if (threads_.empty()) start();
  const Job job{block, size, offset};
  if (threads_.empty()) return complete(job, write(job));
  const std::scoped_lock lock{mutex_};
  jobs_.push_back(job);
  changed_.notify_all();
}

void BlockWriter::start() {
  direct_ = set_direct(fd_, true);
  threads_.reserve(kThreads);
  try {
    while (threads_.size() < kThreads) threads_.emplace_back([this] { run(); });
  } catch (const std::system_error&) {
    // The process may have no more threads: fewer do, and with none the caller writes.
  }
}

void BlockWriter::complete(const Job& job, int error) noexcept {
  const std::scoped_lock lock{mutex_};
  if (error_ == 0) error_ = error;
  free_.push_back(job.block);  // acquire() has made room
  changed_.notify_all();
}

int BlockWriter::finish() {
  {
    const std::scoped_lock lock{mutex_};
    ending_ = true;
    changed_.notify_all();
  }
  threads_.clear();  // joins
  if (direct_) set_direct(fd_, false);
  ending_ = false;
  return error_;
}

void BlockWriter::run() {
  std::unique_lock lock{mutex_};
  while (true) {
    changed_.wait(lock, [this] { return !jobs_.empty() || ending_; });
    if (jobs_.empty()) return;
    const Job job = jobs_.front();
    jobs_.erase(jobs_.begin());
    const bool failed_before = error_ != 0;
    lock.unlock();
    complete(job, failed_before ? 0 : write(job));
    lock.lock();
  }
}

int BlockWriter::write(const Job& job) {
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
