#include "base/stream_copy.hpp"

#include <catch2/catch.hpp>
#include <support/files.hpp>

#include <algorithm>
#include <cstddef>

using namespace ckpt;
using namespace ckpt::test;

namespace {

constexpr std::size_t kSizes[] = {0, 1, 63, 64, 16'384, 32'767, 32'768, 32'769, 49'152, 65'535, 131'072, 199'000};
constexpr std::size_t kShifts[] = {0, 1, 16, 63, 64, 100};

}  // namespace

TEST_CASE("a large copy is exact, at every alignment", "[stream_copy]") {
  const Bytes from = random_bytes(200'000, 1);
  for (const std::size_t size : kSizes) {
    for (const std::size_t to_shift : kShifts) {
      for (const std::size_t from_shift : kShifts) {
        Bytes to(200'000, std::byte{0x5a});
        base::stream_copy(to.data() + to_shift, from.data() + from_shift, size);
        const auto begin = to.begin() + static_cast<std::ptrdiff_t>(to_shift);
        const auto end = begin + static_cast<std::ptrdiff_t>(size);
        const auto is_untouched = [](std::byte byte) { return byte == std::byte{0x5a}; };
        INFO(size << " bytes, " << to_shift << " from " << from_shift);
        CHECK(std::equal(begin, end, from.begin() + static_cast<std::ptrdiff_t>(from_shift)));
        CHECK(std::all_of(to.begin(), begin, is_untouched));
        CHECK(std::all_of(end, to.end(), is_untouched));
      }
    }
  }
}
