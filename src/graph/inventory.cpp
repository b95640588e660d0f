#include "graph/inventory.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace ckpt::graph {
namespace {

// Takes names and paths out of the walk.
std::shared_ptr<const Snapshot::Layout> layout_of(Walk&& walk) {
  auto layout = std::make_shared<Snapshot::Layout>();
  ObjectGraph& graph = layout->graph;
  graph.nodes.reserve(walk.visits.size());
  layout->paths.reserve(walk.visits.size());
  for (Visit& visit : walk.visits) {
    ObjectGraph::Node& node = graph.nodes.emplace_back();
    node.edges.reserve(visit.children.size());
    for (Visit::Child& child : visit.children) {
      node.edges.push_back({std::move(child.name), static_cast<std::uint32_t>(child.visit)});
    }
    if (!visit.node->is_variable) continue;
    node.tensor = visit.path;
    layout->paths.push_back(std::move(visit.path));
  }
  graph.slots.reserve(walk.slots.size());
  for (SlotVisit& slot : walk.slots) {
    graph.slots.push_back({static_cast<std::uint32_t>(slot.owner), static_cast<std::uint32_t>(slot.variable),
                           std::move(slot.name), static_cast<std::uint32_t>(slot.value)});
  }
  return layout;
}

std::string what(const Walk& walk, std::size_t visit) {
  for (const SlotVisit& slot : walk.slots) {
    if (slot.value != visit || visit < walk.objects) continue;
    return "the slot '" + slot.name + "' that '" + walk.visits[slot.owner].path + "' has for '" +
           walk.visits[slot.variable].path + "'";
  }
  return "the variable that is tracked there";
}

// The path of a slot is made of two paths and a name, and may be that of something else.
std::optional<ErrorDetails> find_equal_paths(const Walk& walk) {
  if (walk.visits.size() == walk.objects) return {};
  std::unordered_map<std::string_view, std::size_t> visits;
  for (std::size_t i = 0; i < walk.visits.size(); ++i) {
    if (!walk.visits[i].node->is_variable) continue;
    const auto [position, added] = visits.emplace(walk.visits[i].path, i);
    if (added) continue;
    return ErrorDetails{.problem = "two variables would be saved under one path: " + what(walk, position->second) +
                                   " and " + what(walk, i),
                        .object = walk.visits[i].path,
                        .advice = "give the slot, or one of the objects, another name"};
  }
  return {};
}

std::optional<ErrorDetails> find_problem(const Walk& walk) {
  if (!walk.destroyed) return find_equal_paths(walk);
  return ErrorDetails{
      .problem = "a tracked object was destroyed, so its state cannot be saved",
      .object = *walk.destroyed,
      .advice = "keep tracked objects alive as long as they are saved; the checkpoint does not own them"};
}

void forget_dead_slots(const Walk& walk) {
  for (const Visit& visit : walk.visits) {
    std::erase_if(visit.node->slots, [](const auto& entry) { return entry.second.variable.expired(); });
  }
}

// After a save the processor's cache has nothing of the objects: many are fetched at once, or each is waited for.
constexpr std::size_t kAhead = 16;

void fetch(const VariableNode& variable) noexcept {
  __builtin_prefetch(&variable.dtype);
  __builtin_prefetch(&variable.storage.kind);
  __builtin_prefetch(&variable.storage.owner);
}

}  // namespace

Inventory::Inventory(const std::shared_ptr<Node>& root) {
  Walk found = walk(root);
  problem_ = find_problem(found);
  forget_dead_slots(found);
  for (const Visit& visit : found.visits) {
    if (visit.node->is_variable) {
      variables_.push_back(static_cast<const VariableNode*>(visit.node.get()));
    } else {
      objects_.push_back({visit.node.get(), visit.node, visit.node->changes});
    }
  }
  layout_ = layout_of(std::move(found));
}

bool Inventory::is_same() const noexcept {
  const auto is_unchanged = [](const Object& object) {
    return is_alive(object) && object.node->changes == object.changes;
  };
  return layout_ != nullptr && std::ranges::all_of(objects_, is_unchanged);
}

void Inventory::ask(const Asked& asked) const {
  for (const Object& object : objects_) {
    if (is_alive(object) && !asked.contains(object.handle)) Access::before_save(*object.node->object);
  }
}

void Inventory::add_to(Asked& asked) const {
  for (const Object& object : objects_) asked.insert(object.handle);
}

Snapshot Inventory::read(std::vector<Snapshot::Tensor> list) const {
  if (problem_) throw Error{ErrorCode::invalid_argument, *problem_};
  Snapshot snapshot{.tensors = std::move(list), .layout = layout_};
  snapshot.tensors.reserve(variables_.size());
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    if (i + kAhead < variables_.size()) fetch(*variables_[i + kAhead]);
    const VariableNode& variable = *variables_[i];
    snapshot.tensors.push_back(
        {layout_->paths[i], variable.dtype, variable.shape, variable.storage.bytes(), variable.storage.owner});
  }
  return snapshot;
}

}  // namespace ckpt::graph
