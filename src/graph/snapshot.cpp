#include "graph/snapshot.hpp"

#include "base/log.hpp"
#include "graph/hooks.hpp"
#include "graph/restoration.hpp"
#include "graph/save.hpp"
#include "graph/walk.hpp"

#include <ckpt/error.hpp>
#include <ckpt/writer.hpp>

#include <string_view>
#include <unordered_map>
#include <utility>

namespace ckpt::graph {
namespace {

// Takes the names out of the walk, but not the paths.
ObjectGraph graph_of(Walk& walk) {
  ObjectGraph graph;
  graph.nodes.reserve(walk.visits.size());
  for (Visit& visit : walk.visits) {
    ObjectGraph::Node& node = graph.nodes.emplace_back();
    node.edges.reserve(visit.children.size());
    for (Visit::Child& child : visit.children) {
      node.edges.push_back({std::move(child.name), static_cast<std::uint32_t>(child.visit)});
    }
    if (visit.node->is_variable) node.tensor = visit.path;
  }
  graph.slots.reserve(walk.slots.size());
  for (SlotVisit& slot : walk.slots) {
    graph.slots.push_back({static_cast<std::uint32_t>(slot.owner), static_cast<std::uint32_t>(slot.variable),
                           std::move(slot.name), static_cast<std::uint32_t>(slot.value)});
  }
  return graph;
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

}  // namespace

std::uint64_t Snapshot::total_bytes() const noexcept {
  std::uint64_t total = 0;
  for (const Tensor& tensor : tensors) total += tensor.bytes.size();
  return total;
}

Snapshot collect(const CheckpointState& state) {
  const auto root = require_root(state);
  Walk objects = walk_for_save(root);
  if (objects.destroyed) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "a tracked object was destroyed, so its state cannot be saved",
                 .object = *objects.destroyed,
                 .advice = "keep tracked objects alive as long as they are saved; the checkpoint does not own them"}};
  }
  require_different_paths(objects);
  forget_dead_slots(objects);
  warn_of_waiting(*root);
  Snapshot snapshot;
  snapshot.graph = graph_of(objects);
  snapshot.tensors.reserve(objects.visits.size());
  for (Visit& visit : objects.visits) {
    if (!visit.node->is_variable) continue;
    const auto& variable = static_cast<const VariableNode&>(*visit.node);
    snapshot.tensors.push_back(
        {std::move(visit.path), variable.dtype, variable.shape, variable.storage.bytes(), variable.storage.owner});
  }
  return snapshot;
}

void write_snapshot(const Snapshot& snapshot, const std::filesystem::path& path, const SaveOptions& options,
                    const std::function<void()>& after_data) {
  WriterOptions writer_options = options.writer;
  writer_options.expected_bytes = snapshot.total_bytes();
  Writer writer{path, writer_options};
  for (const auto& [key, value] : options.metadata) writer.set_metadata(key, value);
  for (const Snapshot::Tensor& tensor : snapshot.tensors) {
    writer.add(tensor.path, tensor.dtype, tensor.shape, tensor.bytes);
  }
  writer.set_graph(snapshot.graph);
  if (after_data) after_data();
  writer.commit();
}

}  // namespace ckpt::graph
