#include "graph/save.hpp"

#include "base/log.hpp"
#include "base/text.hpp"
#include "graph/hooks.hpp"
#include "graph/objects.hpp"
#include "graph/restoration.hpp"
#include "graph/walk.hpp"

#include <ckpt/error.hpp>

#include <cstring>
#include <limits>
#include <utility>

namespace ckpt::graph {
namespace {

// Gaps between blobs, and the index, are small against the data; what is missing is allocated while writing.
std::uint64_t total_bytes(const Walk& walk) {
  std::uint64_t total = 0;
  for (const Visit& visit : walk.visits) {
    if (const auto variable = as_variable(visit.node)) total += variable->storage.size;
  }
  return total;
}

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
void warn_of_waiting(const CheckpointState& state, const std::filesystem::path& path) {
  const auto restoration = state.last_restore.lock();
  if (!restoration || restoration->expects_partial()) return;
  const std::vector<std::string> waiting = restoration->pending();
  if (waiting.empty()) return;
  base::log(LogLevel::warning,
            "saving " + base::escape(path.string()) + " without " + std::to_string(waiting.size()) +
                " restored values that still wait for their objects: " + list_paths(waiting) +
                " (create the objects first, or call expect_partial() on the status of the restore)");
}

void forget_dead_slots(const Walk& walk) {
  for (const Visit& visit : walk.visits) {
    std::erase_if(visit.node->slots, [](const auto& entry) { return entry.second.variable.expired(); });
  }
}

// The counter is written to by every save, also in a program that restored everything as read-only views.
void own_memory(VariableNode& variable) {
  if (variable.storage.kind != Storage::Kind::view) return;
  Storage memory = allocate(variable.storage.size);
  std::memcpy(memory.data, variable.storage.data, memory.size);
  variable.storage = std::move(memory);
}

}  // namespace

std::shared_ptr<Node> require_root(const CheckpointState& state) {
  if (auto root = state.root.lock()) return root;
  throw Error{ErrorCode::invalid_argument,
              {.problem = "the checkpoint, or the root object it was made for, was destroyed or moved from",
               .advice = "keep the Checkpoint and its objects alive as long as they are saved"}};
}

void save_objects(const CheckpointState& state, const std::filesystem::path& path, const SaveOptions& options) {
  const Walk objects = walk_for_save(require_root(state));
  if (objects.destroyed) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "a tracked object was destroyed, so its state cannot be saved",
                 .object = *objects.destroyed,
                 .advice = "keep tracked objects alive as long as they are saved; the checkpoint does not own them"}};
  }
  forget_dead_slots(objects);
  warn_of_waiting(state, path);
  WriterOptions writer_options = options.writer;
  writer_options.expected_bytes = total_bytes(objects);
  Writer writer{path, writer_options};
  for (const auto& [key, value] : options.metadata) writer.set_metadata(key, value);
  for (const Visit& visit : objects.visits) {
    const auto variable = as_variable(visit.node);
    if (variable) writer.add(visit.path, variable->dtype, variable->shape, variable->storage.bytes());
  }
  writer.set_graph(graph_of(objects));
  writer.commit();
}

Variable<std::int64_t> save_counter(const CheckpointState& state) {
  const auto root = require_root(state);
  if (auto existing = root->child(kSaveCounterName)) {
    if (auto variable = as_variable(existing)) {
      own_memory(*variable);
      return Variable<std::int64_t>{Access::variable(std::move(variable))};
    }
    throw Error{ErrorCode::already_exists,
                {.problem = "the checkpoint needs this name for its counter, and an object has it",
                 .object = kSaveCounterName,
                 .advice = "track that object under another name, or use Checkpoint::write"}};
  }
  auto variable = create_variable(*root, kSaveCounterName, DType::i64, Shape{}, {});
  own_memory(*variable);
  return Variable<std::int64_t>{Access::variable(std::move(variable))};
}

std::int64_t next_number(const Variable<std::int64_t>& counter) {
  const std::int64_t last = counter.value();
  if (last >= 0 && last < std::numeric_limits<std::int64_t>::max()) return last + 1;
  throw Error{ErrorCode::limit,
              {.problem = "the save counter cannot be incremented",
               .object = kSaveCounterName,
               .found = std::to_string(last),
               .advice = "set Checkpoint::save_counter() to a sound number"}};
}

}  // namespace ckpt::graph
