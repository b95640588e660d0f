// The patches that cases are made of.
#pragma once

#include "case.hpp"

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <utility>

namespace ckpt::test::hostile {

inline constexpr std::uint64_t kMost64 = std::numeric_limits<std::uint64_t>::max();
inline constexpr std::uint32_t kMost32 = std::numeric_limits<std::uint32_t>::max();
inline constexpr std::int64_t kMostDim = std::numeric_limits<std::int64_t>::max();

// Bytes of a record of each kind, and offsets in them.
inline constexpr std::size_t kBlockBytes = 16, kMetadataBytes = 24, kNodeBytes = 16, kEdgeBytes = 16, kSlotBytes = 24,
                             kPathSlotBytes = 8;

/// A number at an offset of the file.
template <typename T>
Patch at_offset(std::size_t offset, T value) {
  return [=](FileImage& image) { image.set<T>(offset, value); };
}

template <typename T>
Patch in_footer(std::size_t field, T value) {
  return [=](FileImage& image) { image.set<T>(image.footer() + field, value); };
}

/// A number in the record of the tensor `path`.
template <typename T>
Patch in_record(std::string path, std::size_t field, T value) {
  return [path = std::move(path), field, value](FileImage& image) {
    image.set<T>(image.tensor(image.find(path)) + field, value);
  };
}

/// A number in element `i` of a column.
template <typename T>
Patch in_element(Column column, std::size_t bytes, std::size_t i, std::size_t field, T value) {
  return [=](FileImage& image) { image.set<T>(image.element(column, i, bytes) + field, value); };
}

/// A field of the root table that is an u32.
inline Patch in_root(Column column, std::uint32_t value) {
  return [=](FileImage& image) { image.set<std::uint32_t>(image.field(column), value); };
}

/// Where in the root table the field is; 0: it is absent.
inline Patch field_at(Column column, std::uint16_t place) {
  return [=](FileImage& image) { image.set<std::uint16_t>(image.vtable_entry(column), place); };
}

inline Patch resized(std::size_t size) {
  return [=](FileImage& image) { image.bytes().resize(size); };
}

inline Patch shorter_by(std::size_t bytes) {
  return [=](FileImage& image) { image.bytes().resize(image.size() - bytes); };
}

inline Patch appended(Bytes more) {
  return [more = std::move(more)](FileImage& image) {
    image.bytes().insert(image.bytes().end(), more.begin(), more.end());
  };
}

/// The first bytes of a tensor's path become these, which are at most as many.
inline Patch renamed(std::string from, std::string to) {
  return [from = std::move(from), to = std::move(to)](FileImage& image) {
    const auto offset = image.get<std::uint32_t>(image.tensor(image.find(from)) + at::kPathOffset);
    const std::size_t start = image.element(Column::paths, offset, 1);
    for (std::size_t i = 0; i < to.size(); ++i) image.set<char>(start + i, to[i]);
  };
}

/// The first dimensions of a tensor become these, of which it has as many or more.
inline Patch dims_of(std::string path, std::initializer_list<std::int64_t> dims) {
  return [path = std::move(path), dims = std::vector(dims)](FileImage& image) {
    const auto first = image.get<std::uint32_t>(image.tensor(image.find(path)) + at::kDimsOffset);
    for (std::size_t i = 0; i < dims.size(); ++i) {
      image.set<std::int64_t>(image.element(Column::dims, first + i, 8), dims[i]);
    }
  };
}

/// A field of one tensor's record becomes what it is in another's.
template <typename T>
Patch copied(std::string from, std::string to, std::size_t field) {
  return [from = std::move(from), to = std::move(to), field](FileImage& image) {
    const auto value = image.get<T>(image.tensor(image.find(from)) + field);
    image.set<T>(image.tensor(image.find(to)) + field, value);
  };
}

/// Element `to` of a column becomes a copy of element `from`.
inline Patch twice(Column column, std::size_t bytes, std::size_t from, std::size_t to) {
  return [=](FileImage& image) {
    for (std::size_t k = 0; k < bytes; ++k) {
      image.set<std::byte>(image.element(column, to, bytes) + k,
                           image.get<std::byte>(image.element(column, from, bytes) + k));
    }
  };
}

inline Patch swapped(Column column, std::size_t bytes, std::size_t one, std::size_t two) {
  return [=](FileImage& image) {
    for (std::size_t k = 0; k < bytes; ++k) {
      const std::size_t a = image.element(column, one, bytes) + k;
      const std::size_t b = image.element(column, two, bytes) + k;
      const auto kept = image.get<std::byte>(a);
      image.set(a, image.get<std::byte>(b));
      image.set(b, kept);
    }
  };
}

/// One after the other.
template <typename... Patches>
Patch both(Patches... patches) {
  return [=](FileImage& image) { (patches(image), ...); };
}

inline std::string text(std::uint64_t number) { return std::to_string(number); }

}  // namespace ckpt::test::hostile
