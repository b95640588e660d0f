// zstd takes its memory with malloc, past operator new: here a process has none left.
#include "codec/zstd.hpp"

#include <catch2/catch.hpp>
#include <malloc.h>
#include <support/child.hpp>
#include <support/files.hpp>
#include <support/sanitizer.hpp>
#include <sys/resource.h>

#include <cstdlib>
#include <functional>
#include <iostream>
#include <new>
#include <string>
#include <thread>

using namespace ckpt;
using namespace ckpt::test;

namespace {

// Whether the process may be kept from memory. A sanitizer has mapped its own before.
bool may_limit_memory() { return !under_sanitizer(); }

// From here on malloc gives nothing of `least` bytes or more, and a little that is less.
void take_all_memory(std::size_t least) {
  void* const little = std::malloc(least);
  struct rlimit limit{};
  ::getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = 0;  // what there is stays
  ::setrlimit(RLIMIT_AS, &limit);
  for (std::size_t size = std::size_t{1} << 20U; size >= least; size /= 2) {
    void* volatile taken = nullptr;  // the compiler may not leave the calls out
    do taken = std::malloc(size);
    while (taken != nullptr);
  }
  std::free(little);
}

// What `action` ends with in a process without memory, in a child. In a thread of its own, which has no context of zstd
// yet.
std::string without_memory(std::size_t least, const std::function<void()>& action) {
  const auto attempt = [&] {
    ::mallopt(M_ARENA_MAX, 1);  // else a thread that finds no memory goes to another arena, without the little
    std::string outcome;
    std::thread{[&] {
      take_all_memory(least);
      try {
        action();
        outcome = "no error";
      } catch (const std::bad_alloc&) {
        outcome = "bad_alloc";
      }
    }}.join();
    return outcome;
  };
  return run_child(attempt).text;
}

}  // namespace

TEST_CASE("zstd that finds no memory is an error") {
  if (!may_limit_memory()) {
    std::cout << "SKIPPED: a sanitizer needs memory of its own" << std::endl;
    return;
  }
  const Bytes data = smooth_bytes(std::size_t{1} << 20U, 1);
  Bytes room(data.size());
  SECTION("for a compressor") {
    CHECK(without_memory(2048, [] { codec::ZstdCompressor{1}; }) == "bad_alloc");
  }
  SECTION("for compressing") {
    codec::ZstdCompressor compressor{19};
    CHECK(without_memory(4096, [&] { compressor.compress(data, room); }) == "bad_alloc");
  }
  SECTION("for decompressing") {
    codec::ZstdCompressor compressor{1};
    room.resize(compressor.compress(data, room));
    Bytes out(data.size());
    CHECK(without_memory(std::size_t{64} << 10U, [&] { codec::zstd_decompress(room, out, data.size()); }) ==
          "bad_alloc");
  }
}
