// Checked arithmetic: no sum, product or rounding of numbers from a file may wrap.
#include "base/checked.hpp"

#include <catch2/catch.hpp>

#include <cstdint>
#include <limits>

using namespace ckpt::base;

namespace {
constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
}

TEST_CASE("sums and products that fit are exact") {
  CHECK((Checked{2} + 3).get() == 5U);
  CHECK((Checked{2} * 3 + 4).get() == 10U);
  CHECK((Checked{kMost} + 0).get() == kMost);
  CHECK((Checked{kMost - 1} + 1).get() == kMost);
  CHECK((Checked{kMost / 3} * 3).get() == kMost);
  CHECK((Checked{0} * kMost).get() == 0U);
}

TEST_CASE("what overflows is invalid, and stays so") {
  CHECK_FALSE((Checked{kMost} + 1).valid());
  CHECK_FALSE((Checked{1ULL << 32U} * (1ULL << 32U)).valid());
  CHECK_FALSE((Checked{kMost} + 1 + 1).valid());
  CHECK_FALSE(((Checked{kMost} + 1) * 0).valid());
  CHECK_FALSE((Checked{1} * (Checked{kMost} + 1)).valid());
  CHECK((Checked{kMost} + 1).value() == 0);
  CHECK_FALSE((Checked{kMost} + 1).get().has_value());
  CHECK_FALSE((Checked{kMost} + 1).fits(kMost));
}

TEST_CASE("rounding up") {
  CHECK(Checked{0}.round_up(64).get() == 0U);
  CHECK(Checked{1}.round_up(64).get() == 64U);
  CHECK(Checked{64}.round_up(64).get() == 64U);
  CHECK(Checked{65}.round_up(64).get() == 128U);
  CHECK(Checked{7}.round_up(1).get() == 7U);
  CHECK(Checked{kMost - 63}.round_up(64).get() == kMost - 63);
  CHECK_FALSE(Checked{kMost - 62}.round_up(64).valid());
  CHECK_FALSE(Checked{kMost}.round_up(1ULL << 63U).valid());
  CHECK_FALSE((Checked{kMost} + 1).round_up(64).valid());
}

TEST_CASE("ranges, powers of two and divisions") {
  CHECK(in_range(0, 0, 0));
  CHECK(in_range(10, 0, 10));
  CHECK(in_range(3, 7, 10));
  CHECK_FALSE(in_range(4, 7, 10));
  CHECK_FALSE(in_range(11, 0, 10));
  CHECK_FALSE(in_range(kMost, 1, kMost));
  CHECK_FALSE(in_range(kMost - 3, 8, 100));
  CHECK(is_power_of_two(1));
  CHECK(is_power_of_two(1ULL << 63U));
  CHECK_FALSE(is_power_of_two(0));
  CHECK_FALSE(is_power_of_two(96));
  CHECK(divide_up(0, 7) == 0);
  CHECK(divide_up(7, 7) == 1);
  CHECK(divide_up(8, 7) == 2);
  CHECK(divide_up(kMost, 2) == (1ULL << 63U));
  CHECK(divide_up(kMost, 1) == kMost);
}
