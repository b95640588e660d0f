#include "graph/restoration.hpp"

#include "base/log.hpp"
#include "base/text.hpp"
#include "graph/walk.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

namespace ckpt::graph {
namespace {

std::uint64_t next_uid() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

Restoration::Restoration(const Reader& reader, const RestoreOptions& options, const std::shared_ptr<Node>& root)
    : uid_{next_uid()},
      reader_{reader},
      options_{options},
      file_{reader_},
      root_{root},
      live_(file_.size()),
      matched_(file_.size(), false) {}

Restoration::~Restoration() {
  if (!armed_ || expect_partial_) return;
  try {
    warn_unused();
  } catch (...) {  // NOLINT(bugprone-empty-catch): only memory can be missing here, and a destructor must not throw
  }
}

std::vector<std::uint32_t> Restoration::file_nodes(const std::shared_ptr<Node>& node) const {
  const auto position = bound_.find(node.get());
  if (position == bound_.end()) return {};
  std::vector<std::uint32_t> result = position->second;
  // Another node may have come to lie at the address of a destroyed one.
  std::erase_if(result, [&](std::uint32_t file_node) { return live(file_node) != node; });
  return result;
}

void Restoration::bind(std::uint32_t file_node, const std::shared_ptr<Node>& node) {
  live_[file_node] = node;
  bound_[node.get()].push_back(file_node);
  if (node->is_variable && file_.tensor(file_node) != nullptr) matched_[file_node] = true;
}

std::vector<std::string> Restoration::unmatched_in_file() const {
  std::vector<std::string> paths;
  for (std::uint32_t node = 0; node < file_.size(); ++node) {
    if (const std::string* path = file_.tensor(node); path != nullptr && !matched_[node]) paths.push_back(*path);
  }
  std::ranges::sort(paths);
  return paths;
}

std::vector<std::string> Restoration::not_alive() const {
  std::vector<std::string> paths;
  for (std::uint32_t node = 0; node < file_.size(); ++node) {
    const std::string* path = file_.tensor(node);
    if (path != nullptr && !as_variable(live(node))) paths.push_back(*path);
  }
  std::ranges::sort(paths);
  return paths;
}

std::vector<std::string> Restoration::unmatched_in_program() const {
  const std::shared_ptr<Node> root = root_.lock();
  if (!root) return {};
  std::vector<std::string> paths;
  for (const Visit& visit : walk(root).visits) {
    const auto variable = as_variable(visit.node);
    if (variable && (variable->update_uid < uid_ || file_nodes(variable).empty())) paths.push_back(visit.path);
  }
  std::ranges::sort(paths);
  return paths;
}

std::vector<std::string> Restoration::pending() const {
  std::vector<bool> waits(file_.size(), false);
  std::vector<std::uint32_t> todo;
  const auto add = [&](std::uint32_t node) {
    if (waits[node]) return;
    waits[node] = true;
    todo.push_back(node);
  };
  for (std::uint32_t node = 0; node < file_.size(); ++node) {
    const std::shared_ptr<Node> object = live(node);
    if (!object || object->is_variable) continue;
    for (const ObjectGraph::Edge& edge : file_.edges(node)) {
      if (!object->children.contains(edge.name)) add(edge.node);
    }
    for (const std::uint32_t slot : file_.slots_of_owner(node)) add(file_.slot(slot).node);
  }
  std::vector<std::string> paths;
  while (!todo.empty()) {
    const std::uint32_t node = todo.back();
    todo.pop_back();
    if (matched_[node]) continue;
    if (const std::string* path = file_.tensor(node)) paths.push_back(*path);
    for (const ObjectGraph::Edge& edge : file_.edges(node)) add(edge.node);
    for (const std::uint32_t slot : file_.slots_of_owner(node)) add(file_.slot(slot).node);
  }
  std::ranges::sort(paths);
  return paths;
}

bool Restoration::nontrivial() const {
  const std::optional<std::uint32_t> counter = file_.child(0, kSaveCounterName);
  for (std::uint32_t node = 1; node < file_.size(); ++node) {
    if (node != counter && live(node)) return true;
  }
  return false;
}

void Restoration::warn_unused() const {
  std::vector<std::string> paths = unmatched_in_file();
  std::erase(paths, kSaveCounterName);
  if (paths.empty()) return;
  base::log(LogLevel::warning, "restored from " + base::escape(reader_.path().string()) + ": " +
                                   std::to_string(paths.size()) + " values in the file were not used: " +
                                   list_paths(paths) + " (if that is intended, call expect_partial() on the status)");
}

bool still_pending(const Node& node, Pending& pending) {
  const FileGraph& file = pending.restoration->file();
  const auto& edges = file.edges(pending.file_node);
  for (; pending.edge_cursor < edges.size(); ++pending.edge_cursor) {
    const ObjectGraph::Edge& edge = edges[pending.edge_cursor];
    if (file.has_values(edge.node) && !node.children.contains(edge.name)) return true;
  }
  const auto slots = file.slots_of_owner(pending.file_node);
  for (; pending.slot_cursor < slots.size(); ++pending.slot_cursor) {
    if (!pending.restoration->matched(file.slot(slots[pending.slot_cursor]).node)) return true;
  }
  return false;
}

}  // namespace ckpt::graph
