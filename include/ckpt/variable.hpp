// Variables: the values of a program that are saved and restored.
#pragma once

#include <ckpt/dtype.hpp>
#include <ckpt/shape.hpp>
#include <ckpt/tensor.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace ckpt {

namespace graph {
struct VariableNode;
struct Access;
}  // namespace graph

/// A variable whose element type is known at run time only.
///
/// It is a handle, like a shared_ptr: a copy refers to the same variable, and the variable lives as long as a handle or
/// an object that tracks it. A default-constructed handle is empty; using one throws invalid_argument.
///
/// Memory is one of: owned (64-byte aligned); lent by the caller (`wrap`), who keeps it alive and in place as long as
/// the variable lives; a read-only TensorView; or a private copy-on-write mapping of a checkpoint. Restoring with
/// Binding::copy writes into the memory that the variable has (owned or lent), so pointers to it stay valid; restoring
/// with another Binding replaces the memory, so they do not. Lent memory is always copied into.
///
/// Not synchronised: the threads that use one variable agree among themselves who writes.
class AnyVariable {
 public:
  AnyVariable() = default;

  /// Owned memory, all bytes zero. Throws invalid_argument for string, bytes and block, whose size a shape does not
  /// tell (Variable<std::string> and Variable<Bytes> hold text and bytes).
  AnyVariable(DType dtype, const Shape& shape);

  /// The caller's memory. Throws invalid_argument when its size is not that of dtype and shape.
  static AnyVariable wrap(DType dtype, const Shape& shape, std::span<std::byte> memory);

  /// A tensor where it lies, read-only; the variable shares ownership of what is behind the view.
  static AnyVariable view(const TensorView& tensor);

  explicit operator bool() const noexcept { return node_ != nullptr; }

  DType dtype() const;
  const Shape& shape() const;

  /// The elements as bytes, row-major. Valid while the variable lives and until its memory is replaced (see above).
  std::span<const std::byte> bytes() const;

  /// The same, to write to. Throws invalid_argument for a read-only view: restore with Binding::copy_on_write or
  /// Binding::copy to get a variable that can be written.
  std::span<std::byte> mutable_bytes();

  bool read_only() const;

  /// Whether both handles refer to the same variable (or both are empty).
  bool same_as(const AnyVariable& other) const noexcept { return node_ == other.node_; }

 protected:
  /// Throws mismatch unless the variable is empty or has that dtype.
  void require_dtype(DType wanted) const;
  /// Throws invalid_argument unless there is exactly one element.
  void require_scalar() const;
  /// A scalar of dtype string or bytes.
  AnyVariable(DType dtype, std::string_view value);
  std::string text() const;
  /// In new memory, since the length may differ.
  void set_text(std::string_view value);

 private:
  friend struct graph::Access;
  explicit AnyVariable(std::shared_ptr<graph::VariableNode> node) : node_{std::move(node)} {}

  std::shared_ptr<graph::VariableNode> node_;
};

/// How a new variable gets its first value: zeros, one value for all elements, or a function that fills them. The
/// function receives memory whose elements are zero. It is not called when a restored value is waiting.
template <Element T>
class Initializer {
 public:
  Initializer() = default;
  Initializer(T value) : fill_{[value](std::span<T> out) { std::fill(out.begin(), out.end(), value); }} {}
  template <typename F>
    requires std::invocable<F&, std::span<T>>
  Initializer(F function) : fill_{std::move(function)} {}

  void operator()(std::span<T> out) const {
    if (fill_) fill_(out);
  }

 private:
  std::function<void(std::span<T>)> fill_;
};

/// What a variable of one value of any length may hold.
template <typename T>
concept VariableLength = std::same_as<T, std::string> || std::same_as<T, Bytes>;

/// Variable<T> for an Element T, for std::string (UTF-8, dtype string) and for Bytes (dtype bytes).
template <typename T>
class Variable {
  static_assert(
      Element<T> || VariableLength<T>,
      "ckpt: a Variable<T> holds numbers (bool, std::int8_t to std::uint64_t, float, double, std::complex), a "
      "std::string, or ckpt::Bytes; for a number type of your own, specialise ckpt::DTypeOf");
};

/// A variable with elements of type T; everything that AnyVariable says holds.
///
/// A variable of one element behaves like a T: it converts to its value and can be assigned, incremented and added to.
/// `if (variable)` asks whether the handle is empty, never for the value.
template <Element T>
class Variable<T> : public AnyVariable {
 public:
  Variable() = default;

  /// A scalar.
  template <typename U>
    requires(std::convertible_to<U, T> && std::is_arithmetic_v<U> && !(std::floating_point<U> && std::integral<T>))
  explicit Variable(U value) : Variable{Shape{}, Initializer<T>{static_cast<T>(value)}} {}

  /// Owned memory of that shape.
  explicit Variable(const Shape& shape, const Initializer<T>& init = {}) : AnyVariable{dtype_of<T>, shape} {
    init(mutable_values());
  }

  /// The same variable with its type known. Throws mismatch when the dtype is another.
  explicit Variable(const AnyVariable& variable) : AnyVariable{variable} { require_dtype(dtype_of<T>); }

  /// The caller's memory, which must outlive the variable. Throws invalid_argument when its size is not that of the
  /// shape.
  static Variable wrap(const Shape& shape, std::span<T> memory) {
    return Variable{AnyVariable::wrap(dtype_of<T>, shape, std::as_writable_bytes(memory))};
  }

  explicit operator bool() const noexcept { return AnyVariable::operator bool(); }

  /// The elements, row-major; bytes() says how long they are valid.
  std::span<const T> values() const {
    const auto raw = bytes();
    return {reinterpret_cast<const T*>(raw.data()), raw.size() / sizeof(T)};
  }

  /// The elements, to write to; throws as mutable_bytes().
  std::span<T> mutable_values() {
    const auto raw = mutable_bytes();
    return {reinterpret_cast<T*>(raw.data()), raw.size() / sizeof(T)};
  }

  /// The one element. Throws invalid_argument when there is not exactly one.
  T value() const {
    require_scalar();
    return values()[0];
  }
  void set(T value) {
    require_scalar();
    mutable_values()[0] = value;
  }

  operator T() const
    requires(!std::same_as<T, bool>)
  {
    return value();
  }

  /// Assigns the value, not the handle. (Assigning a Variable makes this handle refer to that variable.)
  template <typename U>
    requires(std::convertible_to<U, T> && std::is_arithmetic_v<U> && !(std::floating_point<U> && std::integral<T>))
  Variable& operator=(U value) {
    set(static_cast<T>(value));
    return *this;
  }
  Variable& operator+=(T value) {
    set(static_cast<T>(this->value() + value));
    return *this;
  }
  Variable& operator-=(T value) {
    set(static_cast<T>(this->value() - value));
    return *this;
  }
  Variable& operator*=(T value) {
    set(static_cast<T>(this->value() * value));
    return *this;
  }
  Variable& operator/=(T value) {
    set(static_cast<T>(this->value() / value));
    return *this;
  }
  Variable& operator++() { return *this += T{1}; }
  Variable& operator--() { return *this -= T{1}; }
  /// The value before, not a handle.
  T operator++(int) {
    const T before = value();
    ++*this;
    return before;
  }
  T operator--(int) {
    const T before = value();
    --*this;
    return before;
  }
};

/// One text, or one row of bytes, of any length. Setting it replaces the memory: spans from bytes() end there.
template <VariableLength T>
class Variable<T> : public AnyVariable {
 public:
  static constexpr DType kDType = std::same_as<T, std::string> ? DType::string : DType::bytes;

  Variable() = default;
  /// Throws invalid_argument for text that is not UTF-8.
  explicit Variable(const T& value) : AnyVariable{kDType, view(value)} {}
  /// The same variable with its type known. Throws mismatch when the dtype is another.
  explicit Variable(const AnyVariable& variable) : AnyVariable{variable} { require_dtype(kDType); }

  T value() const {
    const std::string raw = text();
    const auto bytes = std::as_bytes(std::span{raw});
    if constexpr (std::same_as<T, std::string>) {
      return raw;
    } else {
      return {bytes.begin(), bytes.end()};
    }
  }

  /// Throws invalid_argument for text that is not UTF-8.
  void set(const T& value) { set_text(view(value)); }
  Variable& operator=(const T& value) {
    set(value);
    return *this;
  }

 private:
  static std::string_view view(const T& value) { return {reinterpret_cast<const char*>(value.data()), value.size()}; }
};

}  // namespace ckpt
