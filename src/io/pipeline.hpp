// Compressing the chunks of many tensors on several threads, and handing them on in order.
#pragma once

#include "codec/chunk.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <unordered_map>
#include <vector>

namespace ckpt::io {

/// A compressed chunk and the sum of what is stored of it.
struct EncodedChunk {
  std::span<const std::byte> stored;
  std::uint64_t sum = 0;
};

/// Jobs are begun in the order in which they come, and finished in it; several are in work at a time. One thread uses
/// it, and works, too, while it waits. What a job throws, that thread gets when it waits, and no more is done then. A
/// thread that finds no memory to choose or to encode leaves that to the others and does no more until the end; when it
/// is the last one, that is an error. A forked child has to leak it: its threads are not there.
class Pipeline {
 public:
  /// A tensor, or a piece of one. Its functions are called on any thread.
  class Job {
   public:
    Job() = default;
    virtual ~Job() = default;
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;

    /// First, and once; again when it threw std::bad_alloc.
    virtual void choose(codec::ChunkEncoder& encoder) = 0;
    /// What follows from the choice: how many chunks, one at least, and how much memory one of them may take when it
    /// waits for those before.
    virtual std::size_t count() const noexcept = 0;
    virtual std::size_t room_for(std::size_t chunk) const noexcept = 0;
    /// Several at a time, in any order, some again. What is returned lies in the encoder.
    virtual EncodedChunk encode(std::size_t chunk, codec::ChunkEncoder& encoder) const = 0;
    /// In order, those of all jobs one after the other.
    virtual void consume(std::size_t chunk, const EncodedChunk& encoded) = 0;
  };

  /// Up to `threads` threads, one or more, with the one that waits. `level` is one that codec::require_zstd_level lets
  /// pass. Chunks that are encoded, wait for those before or are consumed take the room of three of `chunk_bytes` a
  /// thread, or that of one.
  Pipeline(unsigned threads, int level, std::size_t chunk_bytes);
  /// Waits for what is in work, and leaves the rest.
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  /// Which job it is, counted from 1. The job, of so many bytes, stays until it is finished, or stop() has returned.
  std::size_t submit(Job& job, std::size_t bytes);

  /// How many are finished: the first so many.
  std::size_t finished();

  /// Returns when so many are finished. Throws what a job threw, when nobody works any more.
  void wait_for(std::size_t jobs);

  /// Sets memory aside, before others take it: who waits gets it when it finds none. submit() does, too.
  void reserve_memory() noexcept;

  /// Returns when nobody works; nothing more is done then.
  void stop() noexcept;

 private:
  using Lock = std::unique_lock<std::mutex>;
  struct Entry {
    Job* job;
    std::size_t bytes;
    std::size_t count = 0;  // of chunks, when it is chosen
    bool is_chosen = false;
  };
  struct Task {  // what a thread does at a time: a choice, or a chunk
    bool is_choice = false;
    std::size_t number = 0;  // among all choices, or among all chunks
    Entry* entry = nullptr;  // stays where it is while others come and go
    std::size_t chunk = 0;   // of the job
  };
  struct Kept {
    std::vector<std::byte> stored;
    std::uint64_t sum = 0;
  };

  void start_threads() noexcept;
  void run() noexcept;
  bool can_encode() const;
  bool can_choose() const noexcept { return choosing_ < submitted_; }
  bool has_work() const { return !stopped_ && (!given_back_.empty() || can_encode() || can_choose()); }
  bool is_at_rest() const noexcept { return stopped_ && active_ == 0; }
  bool do_work(Lock& lock, std::optional<codec::ChunkEncoder>& encoder) noexcept;
  Task take_task();
  void choose(Lock& lock, Entry& entry, codec::ChunkEncoder& encoder);
  void deliver(Lock& lock, std::size_t number, EncodedChunk chunk);
  void consume(Lock& lock, const EncodedChunk& chunk);
  void give_back(const Task& task) noexcept;
  void fail() noexcept;
  void wake();
  void wake_waiter();

  const unsigned most_threads_;
  const int level_;
  const std::size_t chunk_bytes_;
  std::mutex mutex_;
  std::condition_variable work_;  // for the threads
  std::condition_variable done_;  // for who waits
  bool is_waiting_ = false;       // it sleeps; who wakes it says that it does not
  std::size_t target_ = 0;        // until so many are finished, or all are at rest

  std::deque<Entry> jobs_;  // not finished
  std::size_t submitted_ = 0;
  std::size_t finished_ = 0;
  std::size_t bytes_ = 0;              // of jobs_
  std::size_t choosing_ = 0;           // the next job to choose
  std::size_t dealing_ = 0;            // that whose chunks are dealt out
  std::size_t next_of_dealing_ = 0;    // chunk
  std::size_t next_of_finishing_ = 0;  // chunk of the first job
  std::size_t dealt_out_ = 0;          // chunks of all jobs
  std::size_t consumed_ = 0;
  std::size_t room_taken_ = 0;  // by those between the two
  std::unordered_map<std::size_t, Kept> kept_;
  std::vector<Task> given_back_;  // has room for one of each that may give back

  std::size_t active_ = 0;
  std::size_t able_ = 1;  // that have not given back anything: threads, who waits, and who waits with the reserve
  bool may_work_ = true;  // who waits
  std::unique_ptr<std::byte[]> reserve_;
  bool has_reserved_ = false;
  bool stopped_ = false;
  bool ending_ = false;
  std::exception_ptr failure_;
  std::optional<codec::ChunkEncoder> encoder_;  // of who waits
  std::vector<std::thread> threads_;
  bool may_start_more_ = true;
};

}  // namespace ckpt::io
