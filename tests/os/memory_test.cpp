#include "os/memory.hpp"

#include <catch2/catch.hpp>
#include <support/errors.hpp>

#include <algorithm>
#include <limits>
#include <span>
#include <utility>

using namespace ckpt;
using os::Memory;

TEST_CASE("memory is rounded up, zero, and writable to the end") {
  Memory memory{1};
  CHECK(memory.size() == Memory::kGranularity);
  CHECK(Memory::rounded(1) == Memory::kGranularity);
  CHECK(Memory::rounded(Memory::kGranularity) == Memory::kGranularity);
  CHECK(Memory::rounded(Memory::kGranularity + 1) == 2 * Memory::kGranularity);
  const std::span bytes{memory.data(), memory.size()};
  CHECK(std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; }));
  std::ranges::fill(bytes, std::byte{1});
  const std::byte* address = memory.data();
  Memory moved{std::move(memory)};
  CHECK(moved.data() == address);
  Memory empty;
  empty = std::move(moved);
  CHECK(empty.data() == address);
  CHECK(empty.size() == Memory::kGranularity);
}

TEST_CASE("more memory than there is") {
  for (const std::uint64_t bytes : {std::uint64_t{1} << 62U, std::numeric_limits<std::uint64_t>::max()}) {
    CHECK(Memory::rounded(bytes) == bytes);
    CKPT_REQUIRE_ERROR(error, ErrorCode::limit, Memory{bytes});
    CHECK(error.details().system_error != 0);
    CHECK(test::contains(error.details().advice, "hand_off"));
  }
}
