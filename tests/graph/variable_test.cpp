#include "objects.hpp"

#include <cstdint>
#include <type_traits>

using namespace ckpt;
using namespace ckpt::test;

static_assert(!std::is_constructible_v<Variable<std::int64_t>, double>, "a fraction would be lost");
static_assert(std::is_constructible_v<Variable<float>, int>);
static_assert(!std::is_convertible_v<Variable<bool>, bool>, "a handle of a bool would read as its value");

TEST_CASE("a scalar variable behaves like its value", "[graph][variable]") {
  Variable<std::int64_t> step{1};
  ++step;
  step += 5;
  step -= 1;
  CHECK(step.value() == 6);
  CHECK(step + 1 == 7);
  step = 40;
  const std::int64_t value = step;
  CHECK(value == 40);
  CHECK(step.shape() == Shape{});
  CHECK(step.dtype() == DType::i64);
}

TEST_CASE("a copy of a handle is the same variable", "[graph][variable]") {
  Variable<float> a{1};
  Variable<float> b = a;
  b = 7.0F;
  CHECK(a.value() == 7.0F);
  CHECK(a.same_as(b));
  b = Variable<float>{2};
  CHECK(a.value() == 7.0F);
  CHECK(!a.same_as(b));
}

TEST_CASE("one element and a shape of one dimension are told apart", "[graph][variable]") {
  CHECK(Variable<float>{2}.shape() == Shape{});
  CHECK(Variable<float>{{2}}.shape() == Shape{2});
  Variable<float> matrix{{2, 3}, 0.5F};
  CHECK(matrix.values().size() == 6);
  CHECK(matrix.values()[5] == 0.5F);
  CHECK_THROWS_AS(matrix.value(), Error);
}

TEST_CASE("owned memory is zeroed and aligned; an initializer may be a function", "[graph][variable]") {
  Variable<float> zeros{{3, 5}};
  for (const float value : zeros.values()) CHECK(value == 0.0F);
  CHECK(reinterpret_cast<std::uintptr_t>(zeros.values().data()) % 64 == 0);
  Variable<std::int32_t> counted{{4}, [](std::span<std::int32_t> out) {
                                   for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::int32_t>(i);
                                 }};
  CHECK(counted.values()[3] == 3);
  CHECK(Variable<float>{{2, 0}}.values().empty());
}

TEST_CASE("wrapped memory is the caller's", "[graph][variable]") {
  float memory[4] = {1, 2, 3, 4};
  auto variable = Variable<float>::wrap({2, 2}, memory);
  variable.mutable_values()[1] = 9;
  CHECK(memory[1] == 9);
  CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, Variable<float>::wrap({5}, memory));
  CHECK(contains(error.what(), "20 bytes"));
}

TEST_CASE("an empty handle says so", "[graph][variable]") {
  Variable<float> empty;
  CHECK(!empty);
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, empty.values());
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, empty.shape());
  Box box;
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, box.track("x", empty));
}

TEST_CASE("the dtype of an untyped variable is checked when it becomes typed", "[graph][variable]") {
  AnyVariable any{DType::f32, {2}};
  CHECK(Variable<float>{any}.same_as(any));
  CKPT_CHECK_CODE(ErrorCode::mismatch, Variable<double>{any});
  CHECK(AnyVariable(DType::u4, {3}).bytes().size() == 2);
  CKPT_CHECK_CODE(ErrorCode::invalid_argument, AnyVariable(DType::string, {2}));
  CKPT_CHECK_CODE(ErrorCode::limit, AnyVariable(DType::c128, {std::int64_t{1} << 61}));
}

TEST_CASE("a view cannot be written to, and says what to do", "[graph][variable]") {
  const float memory[2] = {1, 2};
  AnyVariable view = AnyVariable::view(TensorView{DType::f32, {2}, std::as_bytes(std::span{memory}), nullptr});
  CHECK(view.read_only());
  CHECK(Variable<float>{view}.values()[1] == 2);
  CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, view.mutable_bytes());
  CHECK(contains(error.what(), "Binding::copy_on_write"));
}

TEST_CASE("arithmetic on a scalar variable", "[graph][variable]") {
  Variable<std::int64_t> n{5};
  CHECK(n++ == 5);
  CHECK(n-- == 6);
  --n;
  n *= 6;
  n /= 4;
  CHECK(n.value() == 6);
  Variable<long long> wide{7};
  CHECK(wide.dtype() == DType::i64);
}
