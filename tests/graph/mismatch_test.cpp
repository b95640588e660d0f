// What happens where program and file differ in dtype or shape, and the plan that tells before.
#include "objects.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <random>

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// `body/w` f32 [2] = {1.5, -2}, `head/w` f32 [3], `count` i32.
void write_model(const std::filesystem::path& file) {
  Box body;
  Box head;
  Variable<std::int32_t> count{5};
  body.add_variable<float>("w", {2}, [](std::span<float> out) { out[0] = 1.5F, out[1] = -2; });
  head.add_variable<float>("w", {3}, 9.0F);
  Checkpoint{{"body", body}, {"head", head}, {"count", count}}.write(file, quick());
}

template <typename From, typename To>
To through_file(const TempDir& dir, DType from, DType to, From value) {
  {
    Writer writer{dir / "cast.ckpt", quick().writer};
    writer.add("v", from, {}, std::as_bytes(std::span{&value, 1}));
    writer.commit();
  }
  To result{};
  auto variable = AnyVariable::wrap(to, {}, std::as_writable_bytes(std::span{&result, 1}));
  Checkpoint checkpoint{{"v", variable}};
  checkpoint.read(dir / "cast.ckpt", {.on_mismatch = {{"**", OnMismatch::cast}}}).assert_consumed();
  return result;
}

}  // namespace

TEST_CASE("a value of another shape is skipped where the rule says so", "[graph][restore][mismatch]") {
  TempDir dir;
  write_model(dir / "a.ckpt");
  Box body;
  Box head;
  auto w = body.add_variable<float>("w", {2});
  auto other = head.add_variable<float>("w", {7}, 4.0F);
  Checkpoint checkpoint{{"body", body}, {"head", head}};
  CKPT_CHECK_CODE(ErrorCode::mismatch, checkpoint.read(dir / "a.ckpt"));
  CKPT_CHECK_CODE(ErrorCode::mismatch,
                  checkpoint.read(dir / "a.ckpt", {.on_mismatch = {{"body/**", OnMismatch::skip}}}));
  CHECK(w.values()[0] == 0);
  const auto status = checkpoint.read(dir / "a.ckpt", {.on_mismatch = {{"head/**", OnMismatch::skip}}});
  CHECK(w.values()[0] == 1.5F);
  CHECK(other.values()[6] == 4);
  CHECK(status.skipped() == Paths{"head/w"});
  CHECK(status.unmatched_in_program().empty());
  CHECK(status.unmatched_in_file() == Paths{"count"});
  Variable<std::int32_t> count{0};
  checkpoint.track("count", count);
  status.assert_consumed();
}

TEST_CASE("rules also hold for variables that come later", "[graph][restore][mismatch][deferred]") {
  TempDir dir;
  write_model(dir / "a.ckpt");
  Box body;
  Box head;
  Checkpoint checkpoint{{"body", body}, {"head", head}};
  const auto status =
      checkpoint.read(dir / "a.ckpt", {.on_mismatch = {{"head", OnMismatch::skip}, {"**", OnMismatch::cast}}});
  CHECK(head.add_variable<float>("w", {7}, 4.0F).values()[6] == 4);
  const auto w = body.add_variable<double>("w", {2});
  CHECK(w.values()[0] == 1.5);
  CHECK(w.values()[1] == -2);
  CHECK(status.skipped() == Paths{"head/w"});
  Variable<double> wrong{0.0};
  CKPT_CHECK_CODE(ErrorCode::mismatch, checkpoint.track("count", wrong));
  Variable<std::int32_t> count{0};
  checkpoint.track("count", count);
  CHECK(count.value() == 5);
  status.assert_consumed();
}

TEST_CASE("a skipped value leaves that of an earlier restore", "[graph][restore][mismatch]") {
  TempDir dir;
  write_model(dir / "a.ckpt");
  {
    Box body;
    body.add_variable<double>("w", {2}, 6.0);
    Checkpoint{{"body", body}}.write(dir / "b.ckpt", quick());
  }
  Box body;
  Checkpoint checkpoint{{"body", body}};
  checkpoint.read(dir / "b.ckpt").expect_partial();
  checkpoint.read(dir / "a.ckpt", {.on_mismatch = {{"**", OnMismatch::skip}}}).expect_partial();
  CHECK(body.add_variable<double>("w", {2}).values()[0] == 6);
}

TEST_CASE("only floating-point dtypes are cast, and only in the same shape", "[graph][restore][mismatch][cast]") {
  TempDir dir;
  write_model(dir / "a.ckpt");
  const RestoreOptions options{.on_mismatch = {{"**", OnMismatch::cast}}};
  Variable<float> count{0};
  Checkpoint integers{{"count", count}};
  CKPT_CHECK_CODE(ErrorCode::mismatch, integers.read(dir / "a.ckpt", options));
  Box body;
  body.add_variable<double>("w", {1, 2});
  Checkpoint shapes{{"body", body}};
  CKPT_CHECK_CODE(ErrorCode::mismatch, shapes.read(dir / "a.ckpt", options));
}

TEST_CASE("casting works for every binding", "[graph][restore][mismatch][cast][binding]") {
  TempDir dir;
  write_model(dir / "a.ckpt");
  const auto binding = GENERATE(Binding::copy, Binding::view, Binding::copy_on_write);
  const bool late = GENERATE(false, true);
  Box body;
  Checkpoint checkpoint{{"body", body}};
  Variable<double> w;
  if (!late) w = body.add_variable<double>("w", {2});
  const RestoreOptions options{.binding = binding, .on_mismatch = {{"**", OnMismatch::cast}}};
  checkpoint.read(dir / "a.ckpt", options).expect_partial();
  if (late) w = body.add_variable<double>("w", {2});
  CHECK(w.values()[1] == -2);
  w.mutable_values()[1] = 3;  // converted values are the variable's own
  CHECK(scalar_in(dir / "a.ckpt", "body/w") == 1.5F);
}

// In pieces for several threads.
TEST_CASE("large values are cast whole, whenever their variables come", "[graph][restore][mismatch][cast]") {
  constexpr std::int64_t kCount = 3'000'001;
  TempDir dir;
  std::vector<double> values(kCount);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i % 251) - 100;
  Box box;
  const auto fill = [&](auto out) { std::ranges::copy(values, out.begin()); };
  box.add_variable<double>("narrower", {kCount}, fill);
  box.add_variable<float>("wider", {kCount}, fill);
  box.add_variable<float>("same", {kCount}, fill);
  Checkpoint{{"box", box}}.write(dir / "a.ckpt", quick());
  const bool late = GENERATE(false, true);
  const auto mode = GENERATE(ReadMode::mmap, ReadMode::read);
  CAPTURE(late, mode);
  Box other;
  Checkpoint checkpoint{{"box", other}};
  const RestoreOptions options{.mode = mode, .on_mismatch = {{"**", OnMismatch::cast}}};
  std::optional<RestoreStatus> status;
  if (late) status = checkpoint.read(dir / "a.ckpt", options);
  const auto narrower = other.add_variable<float>("narrower", {kCount});
  const auto wider = other.add_variable<double>("wider", {kCount});
  const auto same = other.add_variable<float>("same", {kCount});
  if (!late) status = checkpoint.read(dir / "a.ckpt", options);
  CHECK(std::ranges::equal(narrower.values(), values));
  CHECK(std::ranges::equal(wider.values(), values));
  CHECK(std::ranges::equal(same.values(), values));
  status->assert_consumed();
}

TEST_CASE("casts round to the nearest, ties to even", "[graph][restore][mismatch][cast]") {
  TempDir dir;
  const auto half = [&](double value) {
    return through_file<double, std::uint16_t>(dir, DType::f64, DType::f16, value);
  };
  CHECK(half(1.0) == 0x3c00);
  CHECK(half(-2.5) == 0xc100);
  CHECK(half(65504.0) == 0x7bff);
  CHECK(half(65519.99) == 0x7bff);
  CHECK(half(65520.0) == 0x7c00);
  CHECK(half(1e300) == 0x7c00);
  CHECK(half(-std::numeric_limits<double>::infinity()) == 0xfc00);
  CHECK(half(-0.0) == 0x8000);
  CHECK(half(0x1p-24) == 0x0001);
  CHECK(half(0x1p-25) == 0x0000);          // a tie, to even
  CHECK(half(0x1.8p-24) == 0x0002);        // a tie, to even
  CHECK(half(0x1.000001p-25) == 0x0001);   // above it
  CHECK(half(1.0 + 0x1p-11) == 0x3c00);    // a tie, to even
  CHECK(half(1.0 + 0x1.8p-10) == 0x3c02);  // a tie, to even
  // By way of f32 this would become a tie and go up to 0x3c02.
  CHECK(half(1.0 + 0x1.7ffffffffp-10) == 0x3c01);
  CHECK((half(std::numeric_limits<double>::quiet_NaN()) & 0x7e00U) == 0x7e00U);
  const auto brain = [&](float value) {
    return through_file<float, std::uint16_t>(dir, DType::f32, DType::bf16, value);
  };
  CHECK(brain(1.0F) == 0x3f80);
  CHECK(brain(std::numeric_limits<float>::max()) == 0x7f80);
  CHECK(brain(-std::numeric_limits<float>::denorm_min()) == 0x8000);
  CHECK(through_file<std::uint16_t, float>(dir, DType::bf16, DType::f32, 0x0001) == std::bit_cast<float>(0x10000U));
  CHECK(through_file<double, float>(dir, DType::f64, DType::f32, 1.0 + 0x1p-24) == 1.0F);
}

#ifdef __FLT16_MAX__
TEST_CASE("casts of f16 are those of the compiler", "[graph][restore][mismatch][cast]") {
  TempDir dir;
  std::mt19937_64 random{7};
  std::vector<double> wide(200'000);
  for (std::size_t i = 0; i < wide.size(); ++i) {
    wide[i] = std::ldexp(static_cast<double>(random() >> 11U), static_cast<int>(random() % 60) - 53 - 30);
    if (random() % 2 == 0) wide[i] = -wide[i];
  }
  std::vector<std::uint16_t> narrow(1U << 16U);
  for (std::size_t i = 0; i < narrow.size(); ++i) narrow[i] = static_cast<std::uint16_t>(i);
  {
    Writer writer{dir / "a.ckpt", quick().writer};
    writer.add("narrow", DType::f16, {1 << 16}, std::as_bytes(std::span{narrow}));
    writer.add("wide", DType::f64, {200'000}, std::as_bytes(std::span{wide}));
    writer.commit();
  }
  Variable<double> widened{{1 << 16}};
  AnyVariable narrowed{DType::f16, {200'000}};
  Checkpoint checkpoint{{"narrow", widened}, {"wide", narrowed}};
  checkpoint.read(dir / "a.ckpt", {.on_mismatch = {{"**", OnMismatch::cast}}}).assert_consumed();
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < narrow.size(); ++i) {
    const auto expected = static_cast<double>(std::bit_cast<_Float16>(narrow[i]));
    const double found = widened.values()[i];
    if (std::isnan(expected) ? !std::isnan(found)
                             : std::bit_cast<std::uint64_t>(expected) != std::bit_cast<std::uint64_t>(found))
      ++wrong;
  }
  for (std::size_t i = 0; i < wide.size(); ++i) {
    std::uint16_t found = 0;
    std::memcpy(&found, narrowed.bytes().data() + 2 * i, 2);
    if (found != std::bit_cast<std::uint16_t>(static_cast<_Float16>(wide[i]))) ++wrong;
  }
  CHECK(wrong == 0);
}
#endif

TEST_CASE("a plan tells what a restore would do, and changes nothing", "[graph][restore][plan]") {
  TempDir dir;
  write_model(dir / "a.ckpt");
  Box body;
  Box head;
  auto w = body.add_variable<double>("w", {2}, 7.0);
  head.add_variable<float>("w", {7});
  head.add("new", 1);
  Checkpoint checkpoint{{"body", body}, {"head", head}};
  RestoreOptions options;
  RestorePlan plan = checkpoint.plan(dir / "a.ckpt", options);
  CHECK_FALSE(plan.applicable());
  CHECK(plan.matched.empty());
  CHECK(plan.missing == Paths{"head/new"});
  CHECK(plan.extra == Paths{"count"});
  REQUIRE(plan.mismatched.size() == 2);
  CHECK(plan.mismatched[0].path == "body/w");
  CHECK(plan.mismatched[0].file_path == "body/w");
  CHECK(plan.mismatched[0].wanted_dtype == DType::f64);
  CHECK(plan.mismatched[0].found_dtype == DType::f32);
  CHECK(plan.mismatched[1].wanted_shape == Shape{7});
  CHECK(plan.mismatched[1].found_shape == Shape{3});
  CHECK(plan.mismatched[1].action == OnMismatch::error);
  CHECK(plan.summary() == "0 matched, 2 mismatched, 1 missing, 1 extra");

  options.on_mismatch = {{"head", OnMismatch::skip}, {"**", OnMismatch::cast}};
  options.renames = {{"head/new", "head/w"}, {"head/w", ""}};
  plan = checkpoint.plan(dir / "a.ckpt", options);
  CHECK(plan.applicable());
  REQUIRE(plan.mismatched.size() == 2);
  CHECK(plan.mismatched[0].action == OnMismatch::cast);
  CHECK(plan.mismatched[1].path == "head/new");
  CHECK(plan.mismatched[1].file_path == "head/w");
  CHECK(plan.mismatched[1].action == OnMismatch::skip);
  CHECK(plan.missing == Paths{"head/w"});
  CHECK(w.values()[0] == 7);
  Variable<std::int32_t> count{1};
  checkpoint.track("count", count);
  CHECK(count.value() == 1);  // nothing waits after a plan
  CHECK(checkpoint.plan(dir / "a.ckpt").matched == std::vector<RestorePlan::Match>{{"count", "count"}});
}

TEST_CASE("a plan names aliases, slots and the part that was asked for", "[graph][restore][plan]") {
  TempDir dir;
  {
    Writer writer{dir / "tied.ckpt", quick().writer};
    const float value = 1;
    writer.add("embed", DType::f32, {}, std::as_bytes(std::span{&value, 1}));
    writer.alias("output", "embed");
    writer.commit();
    Box net;
    Box adam;
    adam.add_slot<float>(net.add("w", 1), "m", 5.0F);
    Checkpoint{{"net", net}, {"adam", adam}}.save(dir / "slots", quick());
  }
  Checkpoint empty;
  const RestorePlan tied = empty.plan(dir / "tied.ckpt");
  CHECK(tied.aliases == std::vector<RestorePlan::Match>{{"output", "embed"}});
  CHECK(tied.extra == Paths{"embed", "output"});
  Box net;
  Box adam;
  adam.add_slot<float>(net.add("w", 1), "m");
  Checkpoint checkpoint{{"net", net}, {"adam", adam}};
  CHECK(checkpoint.plan(dir / "slots-1.ckpt").summary() == "2 matched, 0 mismatched, 0 missing, 0 extra");
  CHECK(checkpoint.plan(dir / "slots-1.ckpt", {.slots = false}).summary() ==
        "1 matched, 0 mismatched, 0 missing, 0 extra");
  Checkpoint part{net};
  CHECK(part.plan(dir / "slots-1.ckpt", {.root = "net"}).summary() == "1 matched, 0 mismatched, 0 missing, 0 extra");
}

TEST_CASE("a plan has the save counter once there is one", "[graph][restore][plan]") {
  TempDir dir;
  Variable<float> v{1};
  const auto file = Checkpoint{{"v", v}}.write(dir / "a.ckpt");
  const RestoreOptions options{.renames = {{"save_counter", "v"}}};
  Checkpoint checkpoint;
  CHECK(checkpoint.plan(file, options).applicable());  // as read() will find
  checkpoint.save_counter();
  const RestorePlan plan = checkpoint.plan(file, options);
  CHECK_FALSE(plan.applicable());
  REQUIRE(plan.mismatched.size() == 1);
  CHECK(plan.mismatched[0].path == "save_counter");
  CKPT_CHECK_CODE(ErrorCode::mismatch, checkpoint.restore(file, options));
}
