// The paths that a writer has been given.
#pragma once

#include "format/hash.hpp"
#include "format/path_table.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt::format {

/// Paths, each once, numbered in the order of adding. One owner.
class PathSet {
 public:
  explicit PathSet(Hash function);

  std::size_t size() const noexcept { return hashes_.size(); }
  /// Bytes of all paths.
  std::size_t bytes() const noexcept { return pool_.size(); }

  /// The path of a number < size(), until the next add().
  std::string_view operator[](std::size_t i) const noexcept {
    return {pool_.data() + ends_[i], ends_[i + 1] - ends_[i]};
  }
  std::uint64_t hash(std::size_t i) const noexcept { return hashes_[i]; }

  std::optional<std::uint32_t> find(std::string_view path) const;

  /// The number of `path`, which is new.
  std::uint32_t add(std::string_view path);

  /// Numbers in the order of their paths, bytewise: order[place] is the number, place[number] its position.
  struct Order {
    std::vector<std::uint32_t> order;
    std::vector<std::uint32_t> place;
  };
  Order sorted() const;

 private:
  std::size_t slot_of(std::string_view path, std::uint64_t hash) const noexcept;
  void make_room();
  std::size_t common_prefix() const noexcept;

  Hash hash_;
  std::string pool_;
  std::vector<std::size_t> ends_{0};  // where in the pool each path begins, and the last one ends
  std::vector<std::uint64_t> hashes_;
  std::vector<PathTable::Slot> slots_;  // numbers: where the hash points to, or in the next free place
};

}  // namespace ckpt::format
