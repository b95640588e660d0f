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

Shape::Shape(std::initializer_list<std::int64_t> dims) : Shape{std::span{dims.begin(), dims.size()}} {}

Shape::Shape(std::span<const std::int64_t> dims) : rank_{dims.size()} {
  if (dims.size() > kMaxRank) {
    throw Error{ErrorCode::limit,
                {.problem = "too many dimensions",
                 .expected = "at most " + std::to_string(kMaxRank) + " (kMaxRank)",
                 .found = std::to_string(dims.size())}};
  }
  // What is checked is the copy: dimensions in a mapped file may change.
  std::ranges::copy(dims, dims_.begin());
  if (const char* problem = base::why_not_dims(this->dims())) {
    const auto negative = std::ranges::find_if(this->dims(), [](std::int64_t dim) { return dim < 0; });
    if (negative == this->dims().end()) throw Error{ErrorCode::limit, {.problem = problem}};
    throw Error{ErrorCode::invalid_argument, {.problem = problem, .found = std::to_string(*negative)}};
  }
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
