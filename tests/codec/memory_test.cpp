// zstd takes its memory with malloc, past operator new: here a process has none left.
#include "codec/zstd.hpp"

#include <catch2/catch.hpp>
#include <malloc.h>
#include <support/child.hpp>
#include <support/files.hpp>
#include <support/scarce_memory.hpp>

#include <functional>
#include <new>
#include <string>
#include <thread>

using namespace ckpt;
using namespace ckpt::test;

namespace {

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
  if (!may_limit_memory()) return;
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
