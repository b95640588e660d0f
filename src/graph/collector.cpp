#include "graph/collector.hpp"

#include "base/log.hpp"
#include "graph/changes.hpp"
#include "graph/restoration.hpp"
#include "graph/save.hpp"

#include <ckpt/error.hpp>

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

// What a restore brought and no object has taken yet is missing from the new file.
void warn_of_waiting(const Node& root) {
  const auto restoration = root.restores.empty() ? nullptr : root.restores.back().lock();
  if (!restoration || restoration->expects_partial()) return;
  const std::vector<std::string> waiting = restoration->pending();
  if (waiting.empty()) return;
  base::log(LogLevel::warning,
            "saving without " + std::to_string(waiting.size()) +
                " restored values that still wait for their objects: " + list_paths(waiting) +
                " (create the objects first, or call expect_partial() on the status of the restore)");
}

void require_alive(const Walk& objects) {
  if (!objects.destroyed) return;
  throw Error{ErrorCode::invalid_argument,
              {.problem = "a tracked object was destroyed, so its state cannot be saved",
               .object = *objects.destroyed,
               .advice = "keep tracked objects alive as long as they are saved; the checkpoint does not own them"}};
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
void require_different_paths(const Walk& walk) {
  if (walk.visits.size() == walk.objects) return;
  std::unordered_map<std::string_view, std::size_t> visits;
  for (std::size_t i = 0; i < walk.visits.size(); ++i) {
    if (!walk.visits[i].node->is_variable) continue;
    const auto [position, added] = visits.emplace(walk.visits[i].path, i);
    if (added) continue;
    throw Error{ErrorCode::invalid_argument,
                {.problem = "two variables would be saved under one path: " + what(walk, position->second) + " and " +
                            what(walk, i),
                 .object = walk.visits[i].path,
                 .advice = "give the slot, or one of the objects, another name"}};
  }
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

Snapshot Collector::collect(const CheckpointState& state) {
  const auto root = require_root(state);
  Asked asked;
  if (!ask_same(asked)) {
    layout_ = nullptr;
    Walk objects = walk_and_ask(root, asked);
    require_alive(objects);
    require_different_paths(objects);
    forget_dead_slots(objects);
    remember(std::move(objects));
  }
  warn_of_waiting(*root);
  return read();
}

bool Collector::is_same() const noexcept { return layout_ != nullptr && changes() == changes_; }

// False when something has changed, perhaps by those that were asked.
bool Collector::ask_same(Asked& asked) const {
  for (std::size_t i = 0; is_same(); ++i) {
    if (i == objects_.size()) return true;
    if (i + kAhead < objects_.size()) __builtin_prefetch(objects_[i + kAhead].node);
    Trackable* object = objects_[i].node->object;
    if (object != nullptr) Access::before_save(*object);
    if (is_same()) continue;
    for (std::size_t done = 0; done <= i; ++done) {
      if (auto node = objects_[done].handle.lock()) asked.insert(std::move(node));
    }
  }
  return false;
}

Walk Collector::walk_and_ask(const std::shared_ptr<Node>& root, Asked& asked) {
  while (true) {
    Walk objects = walk(root);
    changes_ = changes();
    for (const Visit& visit : objects.visits) {
      Trackable* object = visit.node->object;
      if (object != nullptr && asked.insert(visit.node).second) Access::before_save(*object);
    }
    if (changes() == changes_) return objects;
  }
}

void Collector::remember(Walk&& objects) {
  objects_.clear();
  variables_.clear();
  for (const Visit& visit : objects.visits) {
    if (visit.node->is_variable) {
      variables_.push_back(static_cast<const VariableNode*>(visit.node.get()));
    } else {
      objects_.push_back({visit.node.get(), visit.node});
    }
  }
  layout_ = layout_of(std::move(objects));
}

Snapshot Collector::read() const {
  Snapshot snapshot{.tensors = {}, .layout = layout_};
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
