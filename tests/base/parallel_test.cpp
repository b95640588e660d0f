// Work that is shared out to threads: each number once, and the first exception comes out.
#include "base/parallel.hpp"

#include <catch2/catch.hpp>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace ckpt;

TEST_CASE("each number is dealt out once, to at most so many workers") {
  for (const unsigned threads : {0U, 1U, 2U, 7U}) {
    for (const std::size_t count : {0U, 1U, 2U, 5U, 1000U}) {
      std::vector<std::atomic<int>> done(count);
      std::atomic<unsigned> workers = 0;
      base::deal_out(count, threads, [&] {
        ++workers;
        return [&](std::size_t i) { ++done[i]; };
      });
      CHECK(std::ranges::all_of(done, [](const auto& times) { return times == 1; }));
      CHECK(workers >= 1);
      CHECK(workers <= std::max(1U, threads));
    }
  }
}

TEST_CASE("there are as many threads as the caller may have cores") {
  cpu_set_t all;
  REQUIRE(::sched_getaffinity(0, sizeof all, &all) == 0);
  CHECK(base::thread_count(0) == static_cast<unsigned>(CPU_COUNT(&all)));
  int first = 0;
  while (CPU_ISSET(first, &all) == 0) ++first;
  std::jthread{[first] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
    CHECK(base::thread_count(0) == 1);
    CHECK(base::thread_count(3) == 3);
  }}.join();
}

TEST_CASE("a worker keeps what it has from number to number") {
  std::atomic<std::size_t> total = 0;
  base::deal_out(100, 3, [&] {
    return [&, own = std::size_t{0}](std::size_t) mutable {
      ++own;
      if (own > 0) ++total;
    };
  });
  CHECK(total == 100);
}

TEST_CASE("after an exception no more numbers are dealt out, and it is thrown") {
  for (const unsigned threads : {1U, 3U}) {
    std::atomic<int> done = 0;
    const auto fail_at_ten = [&] {
      return [&](std::size_t i) {
        if (i == 10) throw std::runtime_error{"ten"};
        ++done;
      };
    };
    CHECK_THROWS_WITH(base::deal_out(1'000'000, threads, fail_at_ten), "ten");
    CHECK(done >= 10);
    CHECK(done < 1'000'000);
  }
}

TEST_CASE("an exception of any thread comes out") {
  const std::thread::id here = std::this_thread::get_id();
  std::atomic<bool> other_failed = false;
  const auto work = [&] {
    if (std::this_thread::get_id() == here) {
      while (!other_failed) std::this_thread::yield();
    } else {
      other_failed = true;
      throw std::runtime_error{"elsewhere"};
    }
  };
  CHECK_THROWS_WITH(base::run_on(2, work), "elsewhere");
}

TEST_CASE("0 threads means one per core") {
  CHECK(base::thread_count(0) >= 1);
  CHECK(base::thread_count(5) == 5);
  CHECK(base::thread_count(1'000'000) == base::kMostThreads);
}
