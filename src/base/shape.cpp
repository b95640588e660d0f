#include "base/checked.hpp"

#include <ckpt/error.hpp>
#include <ckpt/shape.hpp>

#include <algorithm>
#include <limits>

namespace ckpt {

Shape::Shape(std::initializer_list<std::int64_t> dims) : Shape{std::span{dims.begin(), dims.size()}} {}

Shape::Shape(std::span<const std::int64_t> dims) : rank_{dims.size()} {
  if (dims.size() > kMaxRank) {
    throw Error{ErrorCode::limit,
                {.problem = "too many dimensions",
                 .expected = "at most " + std::to_string(kMaxRank) + " (kMaxRank)",
                 .found = std::to_string(dims.size())}};
  }
  base::Checked product{1};
  for (const std::int64_t dim : dims) {
    if (dim < 0) {
      throw Error{ErrorCode::invalid_argument, {.problem = "negative dimension", .found = std::to_string(dim)}};
    }
    if (dim != 0) product = product * static_cast<std::uint64_t>(dim);
  }
  if (!product.fits(std::numeric_limits<std::int64_t>::max())) {
    throw Error{ErrorCode::limit, {.problem = "the number of elements does not fit in 63 bits"}};
  }
  std::ranges::copy(dims, dims_.begin());
}

std::int64_t Shape::elements() const noexcept {
  std::int64_t product = 1;
  for (const std::int64_t dim : dims()) product *= dim;
  return product;
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
