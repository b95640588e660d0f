// Jobs go through all threads at once, and come out in their order.
#include "io/pipeline.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <new>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

using ckpt::codec::ChunkEncoder;
using ckpt::io::EncodedChunk;
using ckpt::io::Pipeline;

namespace {

constexpr std::size_t kChunkBytes = 1000;
constexpr std::size_t kWorthThreads = std::size_t{1} << 20U;  // bytes of a job for which threads are started

using Consumed = std::vector<std::pair<std::size_t, std::size_t>>;  // job, chunk

using Step = std::function<void(std::size_t)>;
const Step kNothing = [](std::size_t) {};

// What a test does within a job's functions; they get the chunk, choose() the job.
struct Steps {
  Step choose = kNothing;
  Step encode = kNothing;
  Step consume = kNothing;
};

// No other of these is there.
class Alone {
 public:
  Alone() {
    if (taken_.exchange(true)) throw std::logic_error{"two at a time"};
  }
  ~Alone() { taken_ = false; }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  static inline std::atomic<bool> taken_ = false;
};

// A job whose chunks hold their number.
class TestJob final : public Pipeline::Job {
 public:
  TestJob(std::size_t number, std::size_t count, Consumed& consumed, Steps steps = {}, std::size_t room = kChunkBytes)
      : number_{number}, count_{count}, room_{room}, consumed_{consumed}, steps_{std::move(steps)} {
    for (std::size_t i = 0; i < count; ++i) bytes_.emplace_back(i % 7, static_cast<std::byte>(i));
  }

  void choose(ChunkEncoder&) override {
    if (chosen_) throw std::logic_error{"chosen twice"};
    steps_.choose(number_);
    chosen_ = true;
  }
  std::size_t count() const noexcept override { return count_; }
  std::size_t room_for(std::size_t) const noexcept override { return room_; }
  EncodedChunk encode(std::size_t chunk, ChunkEncoder&) const override {
    if (!chosen_) throw std::logic_error{"not chosen"};
    steps_.encode(chunk);
    return {bytes_[chunk], 100 * number_ + chunk};
  }
  void consume(std::size_t chunk, const EncodedChunk& encoded) override {
    const Alone alone;
    const std::vector<std::byte> stored{encoded.stored.begin(), encoded.stored.end()};
    if (stored != bytes_[chunk] || encoded.sum != 100 * number_ + chunk) throw std::logic_error{"another chunk"};
    steps_.consume(chunk);
    consumed_.emplace_back(number_, chunk);
  }

 private:
  std::size_t number_, count_, room_;
  Consumed& consumed_;
  Steps steps_;
  std::vector<std::vector<std::byte>> bytes_;
  bool chosen_ = false;
};

// Six jobs of five chunks each.
struct SixJobs {
  SixJobs(Pipeline& pipeline, const Steps& steps) {
    for (std::size_t i = 0; i < 6; ++i) {
      jobs.emplace_back(i, 5, consumed, steps);
      pipeline.submit(jobs.back(), kWorthThreads);
    }
  }
  // How many chunks were consumed, if those were the first ones.
  std::size_t in_order() const {
    for (std::size_t i = 0; i < consumed.size(); ++i) {
      if (consumed[i] != std::pair{i / 5, i % 5}) throw std::logic_error{"not in order"};
    }
    return consumed.size();
  }

  Consumed consumed;
  std::deque<TestJob> jobs;
};

// Opens once, for all who wait.
class Gate {
 public:
  void open() { promise_.set_value(); }
  // Whether it was opened; a test that would wait for ever fails instead.
  bool wait() const { return future_.wait_for(std::chrono::seconds{20}) == std::future_status::ready; }
  void pass() const {
    if (!wait()) throw std::runtime_error{"nobody came"};
  }

 private:
  std::promise<void> promise_;
  std::shared_future<void> future_ = promise_.get_future().share();
};

}  // namespace

TEST_CASE("chunks are consumed in order, whatever threads do", "[pipeline]") {
  for (const unsigned threads : {1U, 2U, 3U, 16U}) {
    Consumed consumed, expected;
    const auto dawdle = [](std::size_t i) { std::this_thread::sleep_for(std::chrono::microseconds{37 * i % 100}); };
    std::deque<TestJob> jobs;
    Pipeline pipeline{threads, 1, kChunkBytes};
    for (std::size_t job = 0; job < 60; ++job) {
      const std::size_t count = 1 + job * job % 11;
      jobs.emplace_back(job, count, consumed, Steps{.choose = dawdle, .encode = dawdle});
      CHECK(pipeline.submit(jobs.back(), kWorthThreads) == job + 1);
      if (job == 40) pipeline.wait_for(20);
      for (std::size_t chunk = 0; chunk < count; ++chunk) expected.emplace_back(job, chunk);
    }
    CHECK(pipeline.finished() >= 20);
    pipeline.wait_for(60);
    CHECK(pipeline.finished() == 60);
    CHECK(consumed == expected);
  }
}

TEST_CASE("one thread is that which waits", "[pipeline]") {
  Consumed consumed;
  std::set<std::thread::id> seen;
  const auto look = [&](std::size_t) { seen.insert(std::this_thread::get_id()); };
  TestJob job{0, 5, consumed, {look, look, look}};
  Pipeline pipeline{1, 1, kChunkBytes};
  pipeline.wait_for(pipeline.submit(job, kWorthThreads));
  CHECK(consumed.size() == 5);
  CHECK(seen == std::set{std::this_thread::get_id()});
}

TEST_CASE("others work while nobody waits", "[pipeline]") {
  Consumed consumed;
  Gate done;
  TestJob job{0, 1, consumed, {.consume = [&](std::size_t) { done.open(); }}};
  Pipeline pipeline{2, 1, kChunkBytes};
  pipeline.submit(job, kWorthThreads);
  CHECK(done.wait());
  pipeline.wait_for(1);
}

TEST_CASE("the next jobs are chosen while one is being chosen", "[pipeline]") {
  Consumed consumed;
  Gate second;
  TestJob one{1, 1, consumed, {.choose = [&](std::size_t) { second.pass(); }}};
  TestJob two{2, 1, consumed, {.choose = [&](std::size_t) { second.open(); }}};
  Pipeline pipeline{2, 1, kChunkBytes};
  pipeline.submit(one, kWorthThreads);
  pipeline.wait_for(pipeline.submit(two, kWorthThreads));
  CHECK(consumed == Consumed{{1, 0}, {2, 0}});
}

TEST_CASE("chunks are encoded while one is consumed", "[pipeline]") {
  Consumed consumed;
  Gate third;
  Steps steps;
  steps.encode = [&](std::size_t chunk) {
    if (chunk == 2) third.open();
  };
  steps.consume = [&](std::size_t chunk) {
    if (chunk == 0) third.pass();
  };
  TestJob job{0, 4, consumed, steps};
  Pipeline pipeline{2, 1, kChunkBytes};
  pipeline.wait_for(pipeline.submit(job, kWorthThreads));
  CHECK(consumed == Consumed{{0, 0}, {0, 1}, {0, 2}, {0, 3}});
}

TEST_CASE("no more is encoded than there is room for", "[pipeline]") {
  // Of two threads, of which one consumes: six chunks, or what one alone takes.
  for (const auto& [room, most] : {std::pair{kChunkBytes, 6U}, {2 * kChunkBytes, 3U}, {100 * kChunkBytes, 1U}}) {
    Consumed consumed;
    std::atomic<unsigned> encoded = 0;
    unsigned seen = 0;
    Steps steps;
    steps.encode = [&](std::size_t) { ++encoded; };
    steps.consume = [&](std::size_t chunk) {
      if (chunk != 0) return;
      for (int i = 0; i < 1000 && encoded < most; ++i) std::this_thread::sleep_for(std::chrono::milliseconds{10});
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
      seen = encoded;
    };
    TestJob job{0, 20, consumed, steps, room};
    Pipeline pipeline{2, 1, kChunkBytes};
    pipeline.wait_for(pipeline.submit(job, kWorthThreads));
    CHECK(seen == most);
    CHECK(consumed.size() == 20);
  }
}

TEST_CASE("what a job throws, who waits gets, and nothing comes after it", "[pipeline]") {
  for (const unsigned threads : {1U, 2U, 8U}) {
    for (int step = 0; step < 3; ++step) {
      Consumed consumed;
      std::atomic<int> inside = 0;
      const auto fail = [](std::size_t chunk) {
        if (chunk == 3) throw std::runtime_error{"no room"};
      };
      const auto take_time = [&](std::size_t) {
        ++inside;
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
        --inside;
      };
      Steps steps;
      (step == 0 ? steps.choose : step == 1 ? steps.encode : steps.consume) = fail;
      std::deque<TestJob> jobs;
      Pipeline pipeline{threads, 1, kChunkBytes};
      for (std::size_t i = 0; i < 6; ++i) {
        jobs.emplace_back(i, 5, consumed, i == 3 ? steps : Steps{.encode = take_time});
        pipeline.submit(jobs.back(), kWorthThreads);
      }
      CHECK_THROWS_AS(pipeline.wait_for(6), std::runtime_error);
      CHECK(inside == 0);
      const Consumed then = consumed;
      CHECK_THROWS_AS(pipeline.wait_for(6), std::runtime_error);  // again, and nobody hangs
      pipeline.stop();
      jobs.clear();
      CHECK(consumed == then);
      CHECK(consumed.size() <= 18);
      for (std::size_t i = 0; i < consumed.size(); ++i) CHECK(consumed[i] == std::pair{i / 5, i % 5});
    }
  }
}

TEST_CASE("a thread that finds no memory leaves its work to the others", "[pipeline]") {
  for (const unsigned threads : {2U, 3U, 8U}) {
    for (const auto step : {&Steps::choose, &Steps::encode}) {
      std::atomic<unsigned> left = threads;  // times that one finds none; who waits may do so twice
      Steps steps;
      steps.*step = [&](std::size_t) {
        for (unsigned now = left; now > 0;) {
          if (left.compare_exchange_weak(now, now - 1)) throw std::bad_alloc{};
        }
      };
      Pipeline pipeline{threads, 1, kChunkBytes};
      SixJobs jobs{pipeline, steps};
      pipeline.wait_for(6);
      CHECK(left == 0);
      CHECK(jobs.in_order() == 30);
    }
  }
}

TEST_CASE("the thread that waits may be without memory, or the only one with some", "[pipeline]") {
  const auto waiting = std::this_thread::get_id();
  for (const bool waiting_finds_none : {true, false}) {
    Steps steps;
    steps.encode = [&](std::size_t) {
      if ((std::this_thread::get_id() == waiting) == waiting_finds_none) throw std::bad_alloc{};
    };
    Pipeline pipeline{4, 1, kChunkBytes};
    SixJobs jobs{pipeline, steps};
    for (std::size_t job = 1; job <= 6; ++job) pipeline.wait_for(job);
    CHECK(jobs.in_order() == 30);
  }
}

TEST_CASE("when nobody finds memory, that is an error", "[pipeline]") {
  for (const unsigned threads : {1U, 2U, 8U}) {
    for (const auto step : {&Steps::choose, &Steps::encode}) {
      Steps steps;
      steps.*step = [](std::size_t number) {
        if (number >= 3) throw std::bad_alloc{};
      };
      Pipeline pipeline{threads, 1, kChunkBytes};
      SixJobs jobs{pipeline, steps};
      CHECK_THROWS_AS(pipeline.wait_for(6), std::bad_alloc);
      CHECK_THROWS_AS(pipeline.wait_for(6), std::bad_alloc);
      CHECK(jobs.in_order() <= (step == &Steps::choose ? 15 : 3));
    }
  }
}

TEST_CASE("what was half consumed is left to nobody", "[pipeline]") {
  for (const unsigned threads : {1U, 2U, 8U}) {
    std::atomic<int> times = 0;
    Steps steps;
    steps.consume = [&](std::size_t chunk) {
      if (chunk == 3 && times++ == 0) throw std::bad_alloc{};
    };
    Pipeline pipeline{threads, 1, kChunkBytes};
    SixJobs jobs{pipeline, steps};
    CHECK_THROWS_AS(pipeline.wait_for(6), std::bad_alloc);
    CHECK(times == 1);
    CHECK(jobs.in_order() == 3);
  }
}

TEST_CASE("when it has stopped, nobody works", "[pipeline]") {
  Consumed consumed;
  Gate begun;
  std::atomic<int> inside = 0;
  Steps steps;
  steps.encode = [&](std::size_t chunk) {
    ++inside;
    if (chunk == 0) begun.open();
    std::this_thread::sleep_for(std::chrono::milliseconds{30});
    --inside;
  };
  TestJob job{0, 1000, consumed, steps};
  Pipeline pipeline{3, 1, kChunkBytes};
  pipeline.submit(job, kWorthThreads);
  CHECK(begun.wait());
  pipeline.stop();
  CHECK(inside == 0);
  const std::size_t then = consumed.size();
  std::this_thread::sleep_for(std::chrono::milliseconds{50});
  CHECK(consumed.size() == then);
  CHECK(then < 1000);
}
