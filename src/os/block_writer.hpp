// Writing large amounts to a file at the speed of the device: blocks are filled by the caller and written by other
// threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace ckpt::os {

/// A ring of aligned blocks with threads behind it that write full ones with O_DIRECT, or, where the file system
/// refuses that, through the page cache with writeback started at once. One thread uses it; errors of the writing
/// threads surface at the next call.
class BlockWriter {
 public:
  static constexpr std::size_t kBlockBytes = std::size_t{8} << 20U;
  static constexpr std::size_t kBlocks = 6;   // 48 MiB of staging memory at most
  static constexpr std::size_t kThreads = 2;  // requests in flight

  /// `fd` must stay open until destruction. No thread runs and no memory is taken before it is needed.
  explicit BlockWriter(int fd) : fd_{fd} {}
  ~BlockWriter();
  BlockWriter(const BlockWriter&) = delete;
  BlockWriter& operator=(const BlockWriter&) = delete;

  /// An empty block of kBlockBytes, aligned for direct I/O. Waits for one. Returns nothing when a write has failed: see
  /// error().
  std::byte* acquire();

  /// Writes the first `size` bytes of an acquired block at `offset`, both multiples of 4096, and takes the block back.
  void submit(std::byte* block, std::size_t size, std::uint64_t offset);

  /// Waits until all submitted blocks are written, and ends the threads. Returns 0 or the errno of the first write that
  /// failed.
  int finish();

  /// Whether blocks went past the page cache; known after the first one was written.
  bool is_direct() const noexcept { return direct_; }

 private:
  struct Job {
    std::byte* block;
    std::size_t size;
    std::uint64_t offset;
  };
  struct Free {
    void operator()(std::byte* memory) const noexcept { std::free(memory); }
  };

  void start();
  void run();
  int write(const Job& job);
  void complete(const Job& job, int error) noexcept;

  const int fd_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Job> jobs_;  // kBlocks at most, oldest first
  std::vector<std::byte*> free_;
  std::vector<std::unique_ptr<std::byte, Free>> blocks_;
  std::vector<std::jthread> threads_;
  bool ending_ = false;
  std::atomic<bool> direct_ = false;
  int error_ = 0;
};

/// Writes all of `data` at `offset` with pwrite. Returns 0 or an errno value.
int write_all(int fd, std::span<const std::byte> data, std::uint64_t offset) noexcept;

}  // namespace ckpt::os
