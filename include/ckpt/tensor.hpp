// A tensor of a checkpoint, as it lies in memory.
#pragma once

#include <ckpt/dtype.hpp>
#include <ckpt/metadata.hpp>
#include <ckpt/shape.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

/// A quantised format: `elements` values in `bytes` bytes, for example Q4_0 with 32 in 18.
struct BlockType {
  std::string name;
  std::uint32_t bytes = 0;
  std::uint32_t elements = 0;
  friend bool operator==(const BlockType&, const BlockType&) = default;
};

/// Read-only bytes of one tensor with their dtype and shape. It shares ownership of the memory behind it (the file's
/// mapping, or a buffer for what was decompressed or read), so it may outlive the Reader; copies are cheap and share
/// that memory. Spans taken from it do not own: they must not outlive the view, and cannot be taken from a temporary.
/// Immutable, so any number of threads may use one. A view knows neither its file nor its path: its errors name
/// neither.
class TensorView {
 public:
  TensorView() = default;
  TensorView(DType dtype, const Shape& shape, std::span<const std::byte> bytes, std::shared_ptr<const void> owner)
      : dtype_{dtype}, shape_{shape}, bytes_{bytes}, owner_{std::move(owner)} {}

  DType dtype() const noexcept { return dtype_; }
  const Shape& shape() const noexcept { return shape_; }

  /// The bytes, row-major, little-endian, aligned as the file says.
  std::span<const std::byte> bytes() const& noexcept { return bytes_; }
  std::span<const std::byte> bytes() && =
      delete;  // the memory may go with the temporary view: keep the view in a variable

  /// The elements. Throws mismatch when T is not the C++ type of the dtype, corrupt for a bool that is neither 0 nor 1.
  template <Element T>
  std::span<const T> as() const& {
    require(dtype_of<T>);
    return {reinterpret_cast<const T*>(bytes_.data()), bytes_.size() / sizeof(T)};
  }
  template <Element T>
  std::span<const T> as() && = delete;  // the memory may go with the temporary view: keep the view in a variable

  /// The elements of a tensor of dtype string or bytes, copied. Throws mismatch for another dtype, corrupt for bad
  /// offsets.
  std::vector<std::string> strings() const;

  /// What keeps the memory alive.
  const std::shared_ptr<const void>& owner() const noexcept { return owner_; }

 private:
  void require(DType wanted) const;

  DType dtype_{};
  Shape shape_;
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
};

/// Bytes of a tensor of dtype string or bytes: count+1 little-endian u64 offsets, then the elements one after the
/// other.
Bytes encode_strings(std::span<const std::string> elements);

}  // namespace ckpt
