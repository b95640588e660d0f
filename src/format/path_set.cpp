#include "format/path_set.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace ckpt::format {
namespace {

// The beginning of a text, as numbers that are ordered as the text is; what shares it, or differs in zeros, is equal.
using Beginning = std::array<std::uint64_t, 2>;

Beginning beginning_of(std::string_view text) noexcept {
  Beginning words{};
  std::memcpy(words.data(), text.data(), std::min(text.size(), sizeof(words)));
  for (std::uint64_t& word : words) word = __builtin_bswap64(word);
  return words;
}

}  // namespace

PathSet::PathSet(Hash function) : hash_{function} { make_room(); }

// Where in slots_ the path is, or would be.
std::size_t PathSet::slot_of(std::string_view path, std::uint64_t hash) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  const auto [first, tag] = PathTable::start_of(hash, slots_.size());
  std::size_t slot = first;
  for (; slots_[slot].tensor != kNone; slot = (slot + 1) & mask) {
    if (slots_[slot].tag == tag && (*this)[slots_[slot].tensor] == path) break;
  }
  return slot;
}

// At most half of slots_ is in use.
void PathSet::make_room() {
  constexpr std::size_t kLeast = 64;
  if (2 * (size() + 1) <= slots_.size()) return;
  slots_.assign(std::max(kLeast, 2 * slots_.size()), {});
  for (std::uint32_t i = 0; i < size(); ++i) {
    slots_[slot_of((*this)[i], hashes_[i])] = {PathTable::start_of(hashes_[i], slots_.size()).tag, i};
  }
}

std::optional<std::uint32_t> PathSet::find(std::string_view path) const {
  const std::uint32_t found = slots_[slot_of(path, hash_of(path, hash_))].tensor;
  return found == kNone ? std::nullopt : std::optional{found};
}

std::uint32_t PathSet::add(std::string_view path) {
  make_room();
  const auto number = static_cast<std::uint32_t>(size());
  const std::uint64_t hash = hash_of(path, hash_);
  slots_[slot_of(path, hash)] = {PathTable::start_of(hash, slots_.size()).tag, number};
  pool_ += path;
  ends_.push_back(pool_.size());
  hashes_.push_back(hash);
  return number;
}

// How many bytes at their front are the same in all paths.
std::size_t PathSet::common_prefix() const noexcept {
  if (size() == 0) return 0;
  std::string_view shared = (*this)[0];
  for (std::size_t i = 1; i < size(); ++i) {
    const std::string_view other = (*this)[i];
    if (other.starts_with(shared)) continue;
    shared = shared.substr(0, static_cast<std::size_t>(std::ranges::mismatch(shared, other).in1 - shared.begin()));
  }
  return shared.size();
}

PathSet::Order PathSet::sorted() const {
  // Most comparisons end at the first bytes behind what all paths begin with, without a look at the paths.
  struct Key {
    Beginning beginning;
    std::uint32_t number;
  };
  const std::size_t shared = common_prefix();
  std::vector<Key> keys;
  keys.reserve(size());
  for (std::uint32_t i = 0; i < size(); ++i) keys.push_back({beginning_of((*this)[i].substr(shared)), i});
  std::ranges::sort(keys, [this](const Key& a, const Key& b) {
    if (a.beginning[0] != b.beginning[0]) return a.beginning[0] < b.beginning[0];
    if (a.beginning[1] != b.beginning[1]) return a.beginning[1] < b.beginning[1];
    return (*this)[a.number] < (*this)[b.number];
  });
  Order sorted{std::vector<std::uint32_t>(size()), std::vector<std::uint32_t>(size())};
  std::ranges::transform(keys, sorted.order.begin(), &Key::number);
  for (std::uint32_t i = 0; i < sorted.order.size(); ++i) sorted.place[sorted.order[i]] = i;
  return sorted;
}

}  // namespace ckpt::format
