#include "path_tree.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace ckptdump {
namespace {

// Bytewise by components: '/' sorts before every other character, so that all that is below a name stands together.
bool component_less(const PathTree::Entry& a, const PathTree::Entry& b) noexcept {
  const auto [left, right] = std::ranges::mismatch(a.path, b.path);
  if (left == a.path.end() || right == b.path.end()) return left == a.path.end() && right != b.path.end();
  if (*left == '/' || *right == '/') return *left == '/';
  return static_cast<unsigned char>(*left) < static_cast<unsigned char>(*right);
}

std::size_t slashes_in(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::ranges::count(text, '/'));
}

// The components at the front that both have. `before` sorts before `path`, or is the same.
std::size_t components_in_common(std::string_view before, std::string_view path) noexcept {
  const auto [end, other] = std::ranges::mismatch(before, path);
  const std::size_t whole = slashes_in({before.begin(), end});
  const bool is_above = end == before.end() && !before.empty() && (other == path.end() || *other == '/');
  return whole + (is_above ? 1 : 0);
}

// A name like 0, 7, 21; not 07.
std::optional<std::uint32_t> number_of(std::string_view name) noexcept {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  if (name.size() > 1 && name.front() == '0') return std::nullopt;
  return number;
}

}  // namespace

PathTree::PathTree(std::vector<Entry> entries, std::size_t most_levels) : nodes_(1), open_{0} {
  if (!std::ranges::is_sorted(entries, component_less)) std::ranges::sort(entries, component_less);
  choose_levels(entries, most_levels);
  for (const Entry& entry : entries) add(entry, levels_ + 1);
}

// Before a node is made: an entry adds one to each level below the components that it shares with the entry before it.
void PathTree::choose_levels(const std::vector<Entry>& entries, std::size_t most) {
  constexpr std::size_t kNodesOfAll = 1000;
  constexpr std::size_t kNodesOfEach = 4;
  std::vector<std::size_t> nodes(most + 1);
  std::string_view before;
  for (const Entry& entry : entries) {
    const std::size_t levels = slashes_in(entry.path) + 1;
    all_levels_ = std::max(all_levels_, levels);
    const std::size_t last = std::min(levels, most);
    for (std::size_t level = components_in_common(before, entry.path) + 1; level <= last; ++level) ++nodes[level];
    before = entry.path;
  }
  const std::size_t room = kNodesOfAll + kNodesOfEach * entries.size();
  const std::size_t last = std::min(most, all_levels_);
  for (std::size_t used = 0; levels_ < last && used + nodes[levels_ + 1] <= room; ++levels_) used += nodes[levels_ + 1];
}

std::uint32_t PathTree::add_child(std::uint32_t parent, std::string_view name) {
  const auto child = static_cast<std::uint32_t>(nodes_.size());
  nodes_.push_back({.name = name});
  Node& owner = nodes_[parent];
  if (owner.first_child == kNoNode) {
    owner.first_child = child;
  } else {
    nodes_[owner.last_child].next_sibling = child;
  }
  owner.last_child = child;
  return child;
}

void PathTree::add(const Entry& entry, std::size_t depth) {
  std::string_view rest = entry.path;
  std::size_t level = 1;
  bool whole = false;  // the node of the last component is reached
  for (; level <= depth && !whole; ++level) {
    const std::size_t slash = rest.find('/');
    const std::string_view name = rest.substr(0, slash);
    whole = slash == std::string_view::npos;
    rest.remove_prefix(whole ? rest.size() : slash + 1);
    if (level < open_.size() && nodes_[open_[level]].name == name) continue;
    open_.resize(level);
    open_.push_back(add_child(open_.back(), name));
  }
  open_.resize(level);
  for (const std::uint32_t node : open_) {
    nodes_[node].parameters += entry.parameters;
    nodes_[node].bytes += entry.bytes;
  }
  if (!whole) return;
  Node& leaf = nodes_[open_.back()];
  if (entry.tensor) leaf.tensor = entry.tensor;
  if (entry.link) leaf.link = entry.link;
}

std::vector<std::uint32_t> PathTree::children(std::uint32_t node) const {
  std::vector<std::uint32_t> found;
  bool numbers = true;
  for (std::uint32_t child = nodes_[node].first_child; child != kNoNode; child = nodes_[child].next_sibling) {
    found.push_back(child);
    numbers = numbers && number_of(nodes_[child].name).has_value();
  }
  if (numbers) {
    std::ranges::sort(found, {}, [this](std::uint32_t child) { return *number_of(nodes_[child].name); });
  }
  return found;
}

std::optional<std::size_t> PathTree::list_size(std::uint32_t node) const {
  std::size_t count = 0;
  std::size_t most = 0;
  for (std::uint32_t child = nodes_[node].first_child; child != kNoNode; child = nodes_[child].next_sibling) {
    const auto number = number_of(nodes_[child].name);
    if (!number) return std::nullopt;
    most = std::max<std::size_t>(most, *number);
    ++count;
  }
  // Names differ, so n of them below n are 0 to n-1.
  if (count == 0 || most != count - 1) return std::nullopt;
  return count;
}

}  // namespace ckptdump
