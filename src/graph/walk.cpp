#include "graph/walk.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace ckpt::graph {
namespace {

using Positions = std::unordered_map<const Node*, std::size_t>;

void visit_children(Walk& walk, Positions& positions, std::size_t parent) {
  // Visits move as the vector grows, so only the index is kept across insertions.
  const std::shared_ptr<Node> node = walk.visits[parent].node;
  for (const auto& [name, edge] : node->children) {
    std::string path = join(walk.visits[parent].path, name);
    std::shared_ptr<Node> child = edge.lock();
    if (!child) {
      if (!walk.destroyed) walk.destroyed = std::move(path);
      continue;
    }
    const auto [position, added] = positions.try_emplace(child.get(), walk.visits.size());
    if (added) walk.visits.push_back({std::move(child), std::move(path), {}});
    walk.visits[parent].children.push_back({name, position->second});
  }
}

/// Slots by their variables, of which nobody knows yet whether something reaches them.
using Unreached = std::unordered_map<const Node*, std::vector<SlotVisit>>;

// The slots of the objects: those of variables that edges reach are returned, the others are left.
std::vector<SlotVisit> sort_out_slots(const Walk& walk, const Positions& positions, Unreached& unreached) {
  std::vector<SlotVisit> reached;
  for (std::size_t owner = 0; owner < walk.objects; ++owner) {
    for (const auto& [key, slot] : walk.visits[owner].node->slots) {
      const std::shared_ptr<VariableNode> variable = slot.variable.lock();
      if (!variable) continue;
      const auto position = positions.find(variable.get());
      if (position != positions.end()) {
        reached.push_back({owner, position->second, key.second, 0});
      } else {
        unreached[variable.get()].push_back({owner, 0, key.second, 0});
      }
    }
  }
  return reached;
}

// `<owner>/<slot name>/<variable>`. False when the value was visited before.
bool visit_slot(Walk& walk, Positions& positions, SlotVisit& slot) {
  const Visit& owner = walk.visits[slot.owner];
  const Visit& variable = walk.visits[slot.variable];
  std::shared_ptr<Node> value = owner.node->slot(as_variable(variable.node), slot.name);
  const auto [position, added] = positions.try_emplace(value.get(), walk.visits.size());
  slot.value = position->second;
  if (!added) return false;
  std::string path = join(join(owner.path, slot.name), variable.path);
  walk.visits.push_back({std::move(value), std::move(path), {}});
  return true;
}

// Those of variables, then those of the slots found, and so on: each is looked at once.
void visit_slots(Walk& walk, Positions& positions) {
  walk.objects = walk.visits.size();
  Unreached unreached;
  std::vector<SlotVisit> next = sort_out_slots(walk, positions, unreached);
  while (!next.empty()) {
    std::ranges::sort(next, {}, [](const SlotVisit& slot) { return std::tie(slot.owner, slot.name, slot.variable); });
    for (SlotVisit& slot : std::exchange(next, {})) {
      const bool added = visit_slot(walk, positions, slot);
      const auto kept = added ? unreached.find(walk.visits[slot.value].node.get()) : unreached.end();
      if (kept != unreached.end()) {
        for (SlotVisit& its : kept->second) next.push_back({its.owner, slot.value, std::move(its.name), 0});
      }
      walk.slots.push_back(std::move(slot));
    }
  }
}

}  // namespace

std::string join(std::string_view parent, std::string_view name) {
  std::string path{parent};
  if (!path.empty()) path += '/';
  return path.append(name);
}

Walk walk(const std::shared_ptr<Node>& root) {
  Walk result;
  Positions positions{{root.get(), 0}};
  result.visits.push_back({root, {}, {}});
  for (std::size_t i = 0; i < result.visits.size(); ++i) visit_children(result, positions, i);
  visit_slots(result, positions);
  return result;
}

std::string list_paths(std::span<const std::string> paths) {
  constexpr std::size_t kShown = 10;
  std::string text;
  for (const std::string& path : paths.first(std::min(paths.size(), kShown))) {
    if (!text.empty()) text += ", ";
    text += base::escape(path);
  }
  if (paths.size() > kShown) text += " and " + std::to_string(paths.size() - kShown) + " more";
  return text;
}

}  // namespace ckpt::graph
