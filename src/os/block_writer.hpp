// Writing large amounts to a file at the speed of the device: many requests of a middling size are in flight at once,
// and the threads that wait for them fill the next ones themselves.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace ckpt::os {

/// Threads that write aligned blocks with O_DIRECT, or, where the file system refuses that, through the page cache with
/// writeback started at once. One thread uses it; errors of the writing threads surface at its next call of acquire()
/// or finish().
class BlockWriter {
 public:
  /// Of this size devices take most a second as long as there are many of them, and a block stays in the cache from one
  /// look at it to the next.
  static constexpr std::size_t kBlockBytes = std::size_t{1} << 20U;
  static constexpr std::size_t kInFlight = 12;
  /// Those in flight often end at one moment; then as many are to be ready.
  static constexpr std::size_t kBlocks = 2 * kInFlight;
  static constexpr unsigned kMostCores = 8;

  /// What is done with each piece of lent data. Called on several threads at once; must not throw.
  using Work = std::function<void(std::size_t, std::span<const std::byte>)>;

  /// `fd` must stay open until destruction. Up to `cores` threads (1 or more) copy lent data at a time; others wait for
  /// the device. No thread runs before it is needed. Takes two blocks, and more as they are needed and can be had.
  /// Throws std::bad_alloc.
  BlockWriter(int fd, unsigned cores);
  ~BlockWriter();
  BlockWriter(const BlockWriter&) = delete;
  BlockWriter& operator=(const BlockWriter&) = delete;

  /// An empty block of kBlockBytes, aligned for direct I/O; the caller may hold one at a time. Waits for one. Returns
  /// nothing when a write has failed: finish() says why.
  std::byte* acquire() noexcept;

  /// Writes the first `size` bytes of an acquired block at `offset`, both multiples of 4096, and takes the block back.
  void submit(std::byte* block, std::size_t size, std::uint64_t offset) noexcept;

  /// Has `data` written at `offset`. Each piece of `piece_size` bytes is first given to `work`, with its number. All
  /// sizes and the offset are multiples of 4096, and piece_size is a power of two, kBlockBytes at most. `data` and
  /// `work` must stay until take_back(), which comes before anything else is lent.
  void lend(std::span<const std::byte> data, std::uint64_t offset, std::size_t piece_size, const Work& work) noexcept;
  void lend(std::span<const std::byte>, std::uint64_t, std::size_t, const Work&&) = delete;

  /// Waits until nobody reads the lent data any more.
  void take_back() noexcept;

  /// Waits until everything is written, and ends the threads. Returns 0 or the errno of the first write that failed.
  int finish() noexcept;

 private:
  struct Job {
    std::byte* block;
    std::size_t size;
    std::uint64_t offset;
  };
  struct Lent {
    std::span<const std::byte> data;
    std::uint64_t offset = 0;
    std::size_t piece_size = 0;
    std::size_t first_piece = 0;  // number of the first one of data
    const Work* work = nullptr;
  };
  struct Free {
    void operator()(std::byte* memory) const noexcept { std::free(memory); }
  };
  using Lock = std::unique_lock<std::mutex>;

  void start_threads(std::uint64_t wanted) noexcept;
  void work_without_threads(Lock& lock) noexcept;
  void run() noexcept;
  bool can_write() const noexcept;
  bool can_copy() const noexcept;
  bool has_work() const noexcept;
  bool is_all_begun() const noexcept;
  void do_work(Lock& lock) noexcept;
  void write_block(Lock& lock) noexcept;
  void copy_part(Lock& lock) noexcept;
  static void copy(const Lent& part, std::byte* block) noexcept;
  void add_job(const Job& job) noexcept;
  void wake() noexcept;
  std::byte* take_free() noexcept;
  void add_blocks() noexcept;
  bool add_memory(std::size_t size) noexcept;
  int write(const Job& job) noexcept;

  const int fd_;
  const unsigned cores_;
  std::mutex mutex_;
  std::condition_variable work_;  // there is some
  std::condition_variable done_;  // a block is free, or lent data was copied
  std::array<Job, kBlocks> jobs_;
  std::size_t job_count_ = 0;  // oldest first
  Lent lent_;                  // what nobody has begun with
  unsigned copying_ = 0;       // threads
  std::size_t writing_ = 0;    // threads
  std::array<std::byte*, kBlocks> free_{};
  std::size_t free_count_ = 0;
  std::array<std::unique_ptr<std::byte, Free>, kBlocks> memory_;
  std::size_t memory_count_ = 0;
  std::size_t block_count_ = 0;
  std::size_t most_blocks_ = kBlocks;  // that there will be
  std::vector<std::jthread> threads_;
  std::size_t idle_ = 0;
  bool started_ = false;
  bool ending_ = false;
  std::atomic<bool> direct_ = false;
  int error_ = 0;
};

/// Writes all of `data` at `offset` with pwrite. Returns 0 or an errno value.
int write_all(int fd, std::span<const std::byte> data, std::uint64_t offset) noexcept;

}  // namespace ckpt::os
