// Lists and maps of trackable things.
#pragma once

#include <ckpt/error.hpp>
#include <ckpt/trackable.hpp>

#include <concepts>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace ckpt {

namespace graph {

template <typename T>
inline constexpr bool kPointsToTrackable = false;
template <typename T>
inline constexpr bool kPointsToTrackable<std::unique_ptr<T>> = std::derived_from<T, Trackable>;
template <typename T>
inline constexpr bool kPointsToTrackable<std::shared_ptr<T>> = std::derived_from<T, Trackable>;

template <typename T>
concept ContainerElement =
    std::derived_from<T, Trackable> || std::derived_from<T, AnyVariable> || kPointsToTrackable<T>;

[[noreturn]] void throw_null_element(std::string_view name);

template <ContainerElement T>
Child child_of(T& element, std::string_view name) {
  if constexpr (kPointsToTrackable<T>) {
    if (element == nullptr) throw_null_element(name);
    return *element;
  } else {
    return element;
  }
}

}  // namespace graph

/// An append-only sequence whose elements are children named "0", "1", …. T is a class derived from Trackable, a
/// Variable, or a unique_ptr or shared_ptr to a Trackable. The list owns its elements; their addresses do not change
/// while it lives. There is no way to remove, replace or reorder elements, because their positions are their names in
/// every checkpoint.
template <typename T>
class List : public Trackable {
  static_assert(
      graph::ContainerElement<T>,
      "ckpt: a List holds classes that derive from ckpt::Trackable, ckpt::Variable, or unique_ptr or shared_ptr "
      "to a Trackable (for plain numbers, use a ckpt::Variable<T> of one dimension)");

 public:
  List() = default;

  /// Appends and restores what was waiting for that position. Throws as Trackable::track; the list is then as before.
  template <typename... Args>
  T& emplace_back(Args&&... args) {
    const std::string name = std::to_string(elements_.size());
    elements_.emplace_back(std::forward<Args>(args)...);
    try {
      track(name, graph::child_of(elements_.back(), name));
    } catch (...) {
      elements_.pop_back();
      throw;
    }
    return elements_.back();
  }
  T& push_back(T element) { return emplace_back(std::move(element)); }

  std::size_t size() const noexcept { return elements_.size(); }
  bool empty() const noexcept { return elements_.empty(); }

  T& operator[](std::size_t index) noexcept { return elements_[index]; }
  const T& operator[](std::size_t index) const noexcept { return elements_[index]; }
  T& back() noexcept { return elements_.back(); }
  const T& back() const noexcept { return elements_.back(); }

  auto begin() noexcept { return elements_.begin(); }
  auto end() noexcept { return elements_.end(); }
  auto begin() const noexcept { return elements_.begin(); }
  auto end() const noexcept { return elements_.end(); }

 private:
  std::deque<T> elements_;
};

/// Elements under string keys, which are their names in checkpoints. Everything else is as in List. Iteration goes by
/// key, bytewise.
template <typename T>
class Map : public Trackable {
  static_assert(
      graph::ContainerElement<T>,
      "ckpt: a Map holds classes that derive from ckpt::Trackable, ckpt::Variable, or unique_ptr or shared_ptr "
      "to a Trackable (for plain numbers, use ckpt::Variable<T>)");

 public:
  Map() = default;

  /// Adds an element and restores what was waiting for that key. Throws already_exists for a key that is there, else as
  /// Trackable::track; the map is then as before.
  template <typename... Args>
  T& emplace(std::string_view key, Args&&... args) {
    const auto [position, added] = elements_.try_emplace(std::string{key}, std::forward<Args>(args)...);
    if (!added) {
      throw Error{ErrorCode::already_exists, {.problem = "the map already has this key", .object = std::string{key}}};
    }
    try {
      track(key, graph::child_of(position->second, key));
    } catch (...) {
      elements_.erase(position);
      throw;
    }
    return position->second;
  }

  std::size_t size() const noexcept { return elements_.size(); }
  bool empty() const noexcept { return elements_.empty(); }
  bool contains(std::string_view key) const { return elements_.find(key) != elements_.end(); }

  /// Throws not_found.
  T& at(std::string_view key) { return const_cast<T&>(std::as_const(*this).at(key)); }
  const T& at(std::string_view key) const {
    const auto position = elements_.find(key);
    if (position == elements_.end()) {
      throw Error{ErrorCode::not_found, {.problem = "the map has no such key", .object = std::string{key}}};
    }
    return position->second;
  }

  auto begin() noexcept { return elements_.begin(); }
  auto end() noexcept { return elements_.end(); }
  auto begin() const noexcept { return elements_.begin(); }
  auto end() const noexcept { return elements_.end(); }

 private:
  std::map<std::string, T, std::less<>> elements_;
};

}  // namespace ckpt
