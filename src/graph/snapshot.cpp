#include "graph/snapshot.hpp"

#include "base/log.hpp"
#include "graph/hooks.hpp"
#include "graph/restoration.hpp"
#include "graph/save.hpp"
#include "graph/walk.hpp"

#include <ckpt/error.hpp>
#include <ckpt/writer.hpp>

#include <utility>

namespace ckpt::graph {
namespace {

ObjectGraph graph_of(const Walk& walk) {
  ObjectGraph graph;
  graph.nodes.reserve(walk.visits.size());
  for (const Visit& visit : walk.visits) {
    ObjectGraph::Node& node = graph.nodes.emplace_back();
    for (const Visit::Child& child : visit.children) {
      node.edges.push_back({child.name, static_cast<std::uint32_t>(child.visit)});
    }
    if (visit.node->is_variable) node.tensor = visit.path;
  }
  for (const SlotVisit& slot : walk.slots) {
    graph.slots.push_back({static_cast<std::uint32_t>(slot.owner), static_cast<std::uint32_t>(slot.variable), slot.name,
                           static_cast<std::uint32_t>(slot.value)});
  }
  return graph;
}

// What a restore brought and no object has taken yet is missing from the new file.
void warn_of_waiting(const CheckpointState& state) {
  const auto restoration = state.last_restore.lock();
  if (!restoration || restoration->expects_partial()) return;
  const std::vector<std::string> waiting = restoration->pending();
  if (waiting.empty()) return;
  base::log(LogLevel::warning,
            "saving without " + std::to_string(waiting.size()) + " restored values that still wait for their objects: " +
                list_paths(waiting) +
                " (create the objects first, or call expect_partial() on the status of the restore)");
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
  const Walk objects = walk_for_save(require_root(state));
  if (objects.destroyed) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "a tracked object was destroyed, so its state cannot be saved",
                 .object = *objects.destroyed,
                 .advice = "keep tracked objects alive as long as they are saved; the checkpoint does not own them"}};
  }
  forget_dead_slots(objects);
  warn_of_waiting(state);
  Snapshot snapshot;
  snapshot.graph = graph_of(objects);
  for (const Visit& visit : objects.visits) {
    const auto variable = as_variable(visit.node);
    if (!variable) continue;
    const Storage& storage = variable->storage;
    snapshot.tensors.push_back({visit.path, variable->dtype, variable->shape, storage.bytes(), storage.owner});
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
