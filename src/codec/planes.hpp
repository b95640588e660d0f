// Elements taken apart into byte planes: the first bytes of all elements, then the second bytes, and so on. The
// exponents of floating-point numbers are alike and compress well once signs and mantissas are out of the way.
#pragma once

#include <ckpt/dtype.hpp>

#include <array>
#include <cstddef>
#include <span>

namespace ckpt::codec {

/// How the elements of a dtype are taken apart.
struct PlaneLayout {
  std::size_t width;  ///< bytes of an element, and so the number of planes: 1, 2, 4 or 8
  bool rotated;       ///< bits are rotated left by one first, so that the sign does not share a byte with the exponent
};

inline constexpr std::size_t kMostPlanes = 8;

/// 1 for packed, quantised, opaque and unknown dtypes. A complex number is two elements.
PlaneLayout plane_layout(DType dtype) noexcept;

/// Where each plane lies, that of the lowest bytes first; only the first `width` count.
using Planes = std::array<const std::byte*, kMostPlanes>;

/// Where each plane is to lie: memory for as many bytes as there are elements, which nothing else overlaps.
using PlanePlaces = std::array<std::byte*, kMostPlanes>;

/// Writes each plane to its place. `data` is a whole number of elements.
void split_planes(std::span<const std::byte> data, PlaneLayout layout, const PlanePlaces& planes) noexcept;

/// The inverse: `data` is as large as all planes together.
void join_planes(const Planes& planes, PlaneLayout layout, std::span<std::byte> data) noexcept;

}  // namespace ckpt::codec
