#include "graph/superseded.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ckpt::graph {
namespace {

bool same_renames(const RestoreOptions& a, const RestoreOptions& b) {
  return std::ranges::equal(a.renames, b.renames, [](const Rename& x, const Rename& y) {
    return x.program == y.program && x.file == y.file;
  });
}

bool same_rules(const RestoreOptions& a, const RestoreOptions& b) {
  return std::ranges::equal(a.on_mismatch, b.on_mismatch, [](const MismatchRule& x, const MismatchRule& y) {
    return x.pattern == y.pattern && x.action == y.action;
  });
}

/// Goes through the files of two restores of one root side by side, along the same names.
class Comparison {
 public:
  Comparison(const Restoration& latest, const Restoration& earlier)
      : latest_{latest}, earlier_{earlier}, wanted_{earlier.wanted()}, paired_(wanted_.size(), false) {
    may_skip_ = std::ranges::any_of(latest.options().on_mismatch,
                                    [](const MismatchRule& rule) { return rule.action == OnMismatch::skip; });
  }

  /// Whether the latest has a value for every object that could still get one from the earlier.
  bool holds() {
    if (std::ranges::find(wanted_, true) == wanted_.end()) return true;
    return comparable() && walk() && !any_wanted_in_lost() && all_wait();
  }

 private:
  bool comparable() const;
  bool walk();
  bool pair(std::uint32_t earlier, std::uint32_t latest);
  bool fits(std::uint32_t earlier, std::uint32_t latest) const;
  bool pair_slots();
  using Slots = std::map<std::pair<std::uint32_t, std::string_view>, std::uint32_t>;
  Slots slots_of_latest(std::uint32_t variable) const;
  void lose_slots_of_lost();
  bool any_wanted_in_lost();
  bool all_wait() const;

  const Restoration& latest_;
  const Restoration& earlier_;
  std::vector<bool> wanted_;  // by node of the earlier file
  bool may_skip_ = false;
  std::unordered_map<std::uint32_t, std::uint32_t> earlier_of_;  // by node of the latest file
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs_;
  std::vector<bool> paired_;         // by node of the earlier file
  std::vector<std::uint32_t> lost_;  // nodes that the latest has not in their place
};

// A rule may skip a value of the latest, and then the earlier one counts, unless it is skipped, too.
bool Comparison::comparable() const {
  const RestoreOptions& a = latest_.options();
  const RestoreOptions& b = earlier_.options();
  return a.slots == b.slots && same_renames(a, b) && (!may_skip_ || same_rules(a, b));
}

// False when the two cannot be compared, or a value would be given by the earlier one alone.
bool Comparison::walk() {
  if (!pair(earlier_.base(), latest_.base())) return false;
  std::size_t done = 0;
  while (done < pairs_.size()) {
    const auto [earlier, latest] = pairs_[done++];
    for (const ObjectGraph::Edge& edge : earlier_.file().edges(earlier)) {
      const auto partner = latest_.file().child(latest, edge.name);
      if (!partner) {
        lost_.push_back(edge.node);
      } else if (!pair(edge.node, *partner)) {
        return false;
      }
    }
  }
  return !earlier_.options().slots || pair_slots();
}

// A node of a file goes to one object, so one of the latest cannot stand for two of the earlier; nor can one that has
// gone to another object.
bool Comparison::pair(std::uint32_t earlier, std::uint32_t latest) {
  const auto [position, added] = earlier_of_.try_emplace(latest, earlier);
  if (!added) return position->second == earlier;
  pairs_.emplace_back(earlier, latest);
  paired_[earlier] = true;
  const auto object = earlier_.live(earlier);
  if (object ? latest_.live(latest) != object : latest_.taken(latest) && !earlier_.taken(earlier)) return false;
  return !wanted_[earlier] || fits(earlier, latest);
}

bool Comparison::fits(std::uint32_t earlier, std::uint32_t latest) const {
  const std::string* path = latest_.file().tensor(latest);
  if (path == nullptr) return false;
  if (!may_skip_) return true;
  const auto index = latest_.reader().find(*path);
  const auto earlier_index = earlier_.reader().find(*earlier_.file().tensor(earlier));
  if (!index || !earlier_index) return false;
  const TensorInfo a = latest_.reader().info(*index);
  const TensorInfo b = earlier_.reader().info(*earlier_index);
  return a.dtype == b.dtype && a.shape == b.shape;
}

// By their variables, to which slots that are paired here are added.
bool Comparison::pair_slots() {
  std::size_t done = 0;
  while (done < pairs_.size()) {
    const auto [earlier, latest] = pairs_[done++];
    const Slots slots = slots_of_latest(latest);
    for (const std::uint32_t index : earlier_.file().slots_of_variable(earlier)) {
      const ObjectGraph::Slot& slot = earlier_.file().slot(index);
      const auto partner = slots.find({slot.owner, slot.name});
      if (partner == slots.end()) {
        lost_.push_back(slot.node);
      } else if (!pair(slot.node, partner->second)) {
        return false;
      }
    }
  }
  lose_slots_of_lost();
  return true;
}

// By owner in the earlier file, and name.
Comparison::Slots Comparison::slots_of_latest(std::uint32_t variable) const {
  Slots slots;
  for (const std::uint32_t index : latest_.file().slots_of_variable(variable)) {
    const ObjectGraph::Slot& slot = latest_.file().slot(index);
    const auto owner = earlier_of_.find(slot.owner);
    if (owner != earlier_of_.end()) slots.emplace(std::pair{owner->second, std::string_view{slot.name}}, slot.node);
  }
  return slots;
}

// What an object keeps for a variable that the latest does not have.
void Comparison::lose_slots_of_lost() {
  for (const auto& [earlier, latest] : pairs_) {
    for (const std::uint32_t index : earlier_.file().slots_of_owner(earlier)) {
      const ObjectGraph::Slot& slot = earlier_.file().slot(index);
      if (!paired_[slot.variable]) lost_.push_back(slot.node);
    }
  }
}

bool Comparison::any_wanted_in_lost() {
  std::vector<bool> seen(earlier_.file().size(), false);
  while (!lost_.empty()) {
    const std::uint32_t node = lost_.back();
    lost_.pop_back();
    if (seen[node]) continue;
    seen[node] = true;
    if (wanted_[node]) return true;
    for (const ObjectGraph::Edge& edge : earlier_.file().edges(node)) lost_.push_back(edge.node);
    for (const std::uint32_t slot : earlier_.file().slots_of_owner(node)) {
      lost_.push_back(earlier_.file().slot(slot).node);
    }
  }
  return false;
}

// Whether for each node that waits for the earlier the latest waits in the same place.
bool Comparison::all_wait() const {
  const bool by_path = may_skip_ || latest_.rules().has_renames();
  const auto is_partner = [&](const Pending& mine, const Pending& other) {
    if (other.restoration.get() != &latest_ || (by_path && other.path != mine.path)) return false;
    if (!mine.file_node || !other.file_node) return !mine.file_node;
    const auto position = earlier_of_.find(*other.file_node);
    return position != earlier_of_.end() && position->second == *mine.file_node;
  };
  return std::ranges::all_of(earlier_.waiting_nodes(), [&](const std::shared_ptr<Node>& node) {
    return std::ranges::all_of(node->pending, [&](const Pending& mine) {
      return mine.restoration.get() != &earlier_ ||
             std::ranges::any_of(node->pending, [&](const Pending& other) { return is_partner(mine, other); });
    });
  });
}

void drop(Restoration& restoration) {
  restoration.expect_partial();  // the latest warns of what is not used
  for (const auto& node : restoration.waiting_nodes()) {
    std::erase_if(node->pending, [&](const Pending& pending) { return pending.restoration.get() == &restoration; });
  }
}

}  // namespace

void supersede(Node& root, const std::shared_ptr<Restoration>& latest) noexcept {
  for (const std::weak_ptr<Restoration>& reference : root.restores) {
    const auto restoration = reference.lock();
    // Here, and by the pointer of open() with all its copies; by more, and somebody may ask its status.
    if (!restoration || restoration.use_count() > 2) continue;
    try {
      if (Comparison{*latest, *restoration}.holds()) drop(*restoration);
    } catch (...) {  // NOLINT(bugprone-empty-catch): without memory, or with a damaged index, it simply stays
    }
  }
  std::erase_if(root.restores, [](const auto& reference) { return reference.expired(); });
  root.restores.push_back(latest->weak_from_this());
}

}  // namespace ckpt::graph
