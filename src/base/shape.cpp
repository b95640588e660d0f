#include "base/checked.hpp"

#include <ckpt/error.hpp>
#include <ckpt/shape.hpp>

#include <algorithm>
#include <limits>

namespace ckpt {

namespace {

[[noreturn]] void refuse_rank(std::size_t rank) {
  throw Error{ErrorCode::limit,
              {.problem = "too many dimensions",
               .expected = "at most " + std::to_string(kMaxRank) + " (kMaxRank)",
               .found = std::to_string(rank)}};
}

[[noreturn]] void refuse_negative(std::int64_t dim) {
  throw Error{ErrorCode::invalid_argument, {.problem = "a negative dimension", .found = std::to_string(dim)}};
}

[[noreturn]] void refuse_product() {
  throw Error{ErrorCode::limit, {.problem = "the number of elements does not fit in 63 bits"}};
}

}  // namespace

void Shape::Dim::refuse(std::uint64_t number) {
  throw Error{ErrorCode::limit, {.problem = "a dimension does not fit in 63 bits", .found = std::to_string(number)}};
}

Shape::Shape(std::initializer_list<Dim> dims) : rank_{dims.size()} {
  if (rank_ > kMaxRank) refuse_rank(rank_);
  std::ranges::transform(dims, dims_.begin(), &Dim::value);
  check();
}

Shape::Shape(std::span<const std::int64_t> dims) : rank_{dims.size()} {
  if (rank_ > kMaxRank) refuse_rank(rank_);
  std::ranges::copy(dims, dims_.begin());
  check();
}

// What is checked is the copy: dimensions in a mapped file may change.
void Shape::check() const {
  base::Checked product{1};
  for (const std::int64_t dim : dims()) {
    if (dim < 0) refuse_negative(dim);
    if (dim > 0) product = product * static_cast<std::uint64_t>(dim);
  }
  if (!product.fits(std::numeric_limits<std::int64_t>::max())) refuse_product();
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
