#include "base/shape.hpp"

#include "base/checked.hpp"

#include <ckpt/error.hpp>
#include <ckpt/shape.hpp>

#include <algorithm>
#include <limits>

namespace ckpt {

const char* base::why_not_dims(std::span<const std::int64_t> dims) noexcept {
  Checked product{1};
  for (const std::int64_t dim : dims) {
    if (dim < 0) return "a negative dimension";
    if (dim > 0) product = product * static_cast<std::uint64_t>(dim);
  }
  if (!product.fits(std::numeric_limits<std::int64_t>::max())) {
    return "the number of elements does not fit in 63 bits";
  }
  return nullptr;
}

namespace {

std::size_t allowed_rank(std::size_t rank) {
  if (rank <= kMaxRank) return rank;
  throw Error{ErrorCode::limit,
              {.problem = "too many dimensions",
               .expected = "at most " + std::to_string(kMaxRank) + " (kMaxRank)",
               .found = std::to_string(rank)}};
}

}  // namespace

void Shape::Dim::refuse(std::uint64_t number) {
  throw Error{ErrorCode::limit, {.problem = "a dimension does not fit in 63 bits", .found = std::to_string(number)}};
}

Shape::Shape(std::initializer_list<Dim> dims) : rank_{allowed_rank(dims.size())} {
  std::ranges::transform(dims, dims_.begin(), &Dim::value);
  check();
}

Shape::Shape(std::span<const std::int64_t> dims) : rank_{allowed_rank(dims.size())} {
  std::ranges::copy(dims, dims_.begin());
  check();
}

// What is checked is the copy: dimensions in a mapped file may change.
void Shape::check() const {
  const char* problem = base::why_not_dims(dims());
  if (problem == nullptr) return;
  const auto negative = std::ranges::find_if(dims(), [](std::int64_t dim) { return dim < 0; });
  if (negative == dims().end()) throw Error{ErrorCode::limit, {.problem = problem}};
  throw Error{ErrorCode::invalid_argument, {.problem = problem, .found = std::to_string(*negative)}};
}

bool operator==(const Shape& a, const Shape& b) noexcept { return std::ranges::equal(a.dims(), b.dims()); }

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (const std::int64_t dim : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(dim);
  }
  return text + "]";
}

}  // namespace ckpt
