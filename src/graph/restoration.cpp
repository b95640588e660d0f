#include "graph/restoration.hpp"

#include "base/log.hpp"
#include "base/text.hpp"
#include "graph/walk.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <span>
#include <utility>

namespace ckpt::graph {
namespace {

std::uint64_t next_uid() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

// How far along a path there is something, and what comes there.
std::string nearest(const FileGraph& file, std::string_view path) {
  std::uint32_t node = 0;
  std::string there;
  while (true) {
    const std::string_view name = path.substr(0, path.find('/'));
    const auto next = file.child(node, name);
    if (!next) break;
    node = *next;
    there = join(there, name);
    path.remove_prefix(name.size() + 1);  // there is more, or all of the path would have been found
  }
  std::vector<std::string> names;
  for (const ObjectGraph::Edge& edge : file.edges(node)) names.push_back(edge.name);
  const std::string below = names.empty() ? "nothing" : list_paths(names);
  if (there.empty()) return "at the root of the file there is: " + below;
  return "the nearest path is \"" + base::escape(there) + "\", and below it there is: " + below;
}

}  // namespace

std::shared_ptr<Restoration> Restoration::open(const Reader& reader, const RestoreOptions& options,
                                               const std::shared_ptr<Node>& root) {
  const std::shared_ptr<Restoration> kept{new Restoration{reader, options, root}};
  return {kept.get(), [kept](Restoration* restoration) { restoration->reader_.reset(); }};
}

Restoration::Restoration(const Reader& reader, const RestoreOptions& options, const std::shared_ptr<Node>& root)
    : uid_{next_uid()},
      path_{reader.path()},
      reader_{reader},
      options_{options},
      rules_{options_},
      file_{reader},
      root_{root},
      in_scope_(file_.size(), false),
      live_(file_.size()),
      taken_(file_.size(), false),
      matched_(file_.size(), false),
      skipped_(file_.size(), false),
      before_(file_.size()),
      paths_(rules_.need_paths() ? file_.size() : 0) {
  const auto base = file_.find(0, options_.root);
  if (!base) {
    throw Error{ErrorCode::not_found,
                {.problem = "the file has no object at the path that RestoreOptions::root gives",
                 .file = path_,
                 .object = options_.root,
                 .advice = nearest(file_, options_.root)}};
  }
  base_ = *base;
  take(base_);  // by the root
  find_scope();
  for (std::uint32_t node = 0; node < file_.size(); ++node) {
    if (!is_value(node)) continue;
    ++unmatched_;
    if (!taken_[node]) ++untaken_;
  }
}

Restoration::~Restoration() {
  if (!armed_ || expect_partial_) return;
  try {
    warn_unused();
  } catch (...) {  // NOLINT(bugprone-empty-catch): only memory can be missing here, and a destructor must not throw
  }
}

// What can be reached from the base; of the file's own root that is everything. Slots that are to be left out are,
// unless an object has them, too.
void Restoration::find_scope() {
  std::vector<std::uint32_t> todo;
  const auto add = [&](std::uint32_t node) {
    if (in_scope_[node]) return;
    in_scope_[node] = true;
    todo.push_back(node);
  };
  add(base_);
  while (!todo.empty()) {
    const std::uint32_t node = todo.back();
    todo.pop_back();
    for (const ObjectGraph::Edge& edge : file_.edges(node)) add(edge.node);
    if (!options_.slots) continue;
    for (const std::uint32_t slot : file_.slots_of_owner(node)) add(file_.slot(slot).node);
  }
  if (base_ != 0) return;
  std::vector<bool> left_out(file_.size(), false);
  for (std::uint32_t node = 0; node < file_.size(); ++node) {
    if (options_.slots) break;
    for (const std::uint32_t slot : file_.slots_of_owner(node)) left_out[file_.slot(slot).node] = true;
  }
  for (std::uint32_t node = 0; node < file_.size(); ++node) in_scope_[node] = in_scope_[node] || !left_out[node];
}

void Restoration::set_taken(std::uint32_t file_node, bool taken) noexcept {
  if (taken_[file_node] == taken) return;
  taken_[file_node] = taken;
  if (is_value(file_node)) untaken_ = taken ? untaken_ - 1 : untaken_ + 1;
}

FileNode Restoration::child(FileNode file_node, std::string_view name, std::string_view path) const {
  if (rules_.has_renames()) {
    if (const auto renamed = rules_.renamed(path)) {
      return renamed->path.empty() ? std::nullopt : file_.find(base_, renamed->path);
    }
  }
  return file_node ? file_.child(*file_node, name) : std::nullopt;
}

std::optional<std::string> Restoration::taken_as(std::string_view path) const {
  FileNode node = file_.find(base_, path);
  if (const auto renamed = rules_.renamed(path)) node = file_.find(base_, renamed->path);
  if (!node || !matched_[*node] || file_.tensor(*node) == nullptr) return std::nullopt;
  return *file_.tensor(*node);
}

std::vector<Rename> Restoration::idle_renames() const {
  const std::shared_ptr<Node> root = root_.lock();
  if (!root || !rules_.has_renames()) return {};
  std::vector<bool> works(options_.renames.size(), false);
  for (const Visit& visit : walk(root).visits) {
    const auto renamed = rules_.renamed(visit.path);
    if (renamed && (renamed->path.empty() || file_.find(base_, renamed->path))) works[renamed->rename] = true;
  }
  std::vector<Rename> idle;
  for (std::size_t i = 0; i < works.size(); ++i) {
    if (!works[i]) idle.push_back(options_.renames[i]);
  }
  return idle;
}

std::vector<std::uint32_t> Restoration::file_nodes(const std::shared_ptr<Node>& node) const {
  std::vector<std::uint32_t> result;
  const auto position = known_.find(node.get());
  if (position == known_.end() || position->second.node.lock() != node) return result;
  for (FileNode at = position->second.last; at; at = before_[*at]) result.push_back(*at);
  std::ranges::reverse(result);
  return result;
}

std::string Restoration::path_of(std::uint32_t file_node) const {
  return paths_.empty() ? std::string{} : paths_[file_node];
}

void Restoration::know(const std::shared_ptr<Node>& node) {
  Known& known = known_[node.get()];
  if (known.node.lock() != node) known = {node, {}};
}

void Restoration::bind(std::uint32_t file_node, const std::shared_ptr<Node>& node, std::string&& path) noexcept {
  live_[file_node] = node;
  if (!paths_.empty()) paths_[file_node] = std::move(path);
  before_[file_node] = std::exchange(known_.find(node.get())->second.last, file_node);
  if (!node->is_variable || file_.tensor(file_node) == nullptr || matched_[file_node]) return;
  matched_[file_node] = true;
  if (in_scope_[file_node]) --unmatched_;
}

// Paths of the values of which `predicate` says yes to the file node, sorted.
template <typename Predicate>
std::vector<std::string> Restoration::values_if(Predicate&& predicate) const {
  std::vector<std::string> paths;
  for (std::uint32_t node = 0; node < file_.size(); ++node) {
    if (!in_scope_[node]) continue;
    if (const std::string* path = file_.tensor(node); path != nullptr && predicate(node)) paths.push_back(*path);
  }
  std::ranges::sort(paths);
  return paths;
}

std::vector<std::string> Restoration::unmatched_in_file() const {
  return values_if([&](std::uint32_t node) { return !matched_[node]; });
}

std::vector<std::string> Restoration::not_alive() const {
  return values_if([&](std::uint32_t node) { return !as_variable(live(node)); });
}

std::vector<std::string> Restoration::skipped() const {
  return values_if([&](std::uint32_t node) { return skipped_[node]; });
}

std::vector<std::string> Restoration::unmatched_in_program() const {
  const std::shared_ptr<Node> root = root_.lock();
  if (!root) return {};
  const auto was_skipped = [this](std::uint32_t node) { return skipped_[node]; };
  const auto is_missing = [&](const std::shared_ptr<VariableNode>& variable) {
    const std::vector<std::uint32_t> nodes = file_nodes(variable);
    return nodes.empty() || (variable->update_uid < uid_ && std::ranges::none_of(nodes, was_skipped));
  };
  const Walk objects = walk(root);
  const std::size_t count = options_.slots ? objects.visits.size() : objects.objects;
  std::vector<std::string> paths;
  for (const Visit& visit : std::span{objects.visits}.first(count)) {
    const auto variable = as_variable(visit.node);
    if (variable && is_missing(variable)) paths.push_back(visit.path);
  }
  std::ranges::sort(paths);
  return paths;
}

std::vector<bool> Restoration::waiting() const {
  std::vector<bool> waits(file_.size(), false);
  std::vector<std::uint32_t> todo;
  const auto add = [&](std::uint32_t node) {
    if (waits[node] || taken_[node] || !in_scope_[node]) return;
    waits[node] = true;
    todo.push_back(node);
  };
  for (std::uint32_t node = 0; node < file_.size(); ++node) {
    const std::shared_ptr<Node> object = live(node);
    if (!object || object->is_variable) continue;
    for (const ObjectGraph::Edge& edge : file_.edges(node)) {
      if (!object->child(edge.name)) add(edge.node);
    }
    for (const std::uint32_t slot : file_.slots_of_owner(node)) add(file_.slot(slot).node);
  }
  while (!todo.empty()) {
    const std::uint32_t node = todo.back();
    todo.pop_back();
    for (const ObjectGraph::Edge& edge : file_.edges(node)) add(edge.node);
    for (const std::uint32_t slot : file_.slots_of_owner(node)) add(file_.slot(slot).node);
  }
  return waits;
}

std::vector<std::string> Restoration::pending() const {
  if (untaken_ == 0) return {};
  const std::vector<bool> waits = waiting();
  return values_if([&](std::uint32_t node) { return waits[node]; });
}

std::vector<bool> Restoration::wanted() const {
  std::vector<bool> nodes = rules_.has_renames() ? in_scope_ : waiting();
  for (std::uint32_t node = 0; node < file_.size(); ++node) {
    nodes[node] = nodes[node] && !taken_[node] && file_.tensor(node) != nullptr;
  }
  return nodes;
}

bool Restoration::nontrivial() const {
  const std::optional<std::uint32_t> counter = file_.child(0, kSaveCounterName);
  for (std::uint32_t node = 0; node < file_.size(); ++node) {
    if (node != base_ && node != counter && live(node)) return true;
  }
  return false;
}

bool Restoration::claim(std::uint64_t offset, std::uint64_t size) {
  if (size == 0) return true;
  const std::uint64_t end = offset + size;  // No wrap: it lies within the file
  const auto next = claimed_.lower_bound(offset);
  if (next != claimed_.end() && next->first < end) return false;
  if (next != claimed_.begin() && std::prev(next)->second > offset) return false;
  claimed_.emplace_hint(next, offset, end);
  return true;
}

void Restoration::warn_unused() const {
  std::vector<std::string> paths = unmatched_in_file();
  std::erase(paths, kSaveCounterName);
  if (paths.empty()) return;
  base::log(LogLevel::warning, "restored from " + base::escape_path(path_) + ": " + std::to_string(paths.size()) +
                                   " values in the file were not used: " + list_paths(paths) +
                                   " (if that is intended, call expect_partial() on the status)");
}

std::vector<std::shared_ptr<Node>> Restoration::waiting_nodes() const {
  std::vector<std::shared_ptr<Node>> nodes;
  const auto is_mine = [this](const Pending& pending) { return pending.restoration.get() == this; };
  for (const auto& [address, known] : known_) {
    auto node = known.node.lock();
    if (node && std::ranges::any_of(node->pending, is_mine)) nodes.push_back(std::move(node));
  }
  return nodes;
}

bool still_pending(Pending& pending) {
  const Restoration& restoration = *pending.restoration;
  // A rename may bring any value of the file to any child that is still to come.
  if (restoration.rules().has_renames()) return restoration.any_unmatched();
  const FileGraph& file = restoration.file();
  const auto& edges = file.edges(*pending.file_node);
  for (; pending.edge_cursor < edges.size(); ++pending.edge_cursor) {
    const ObjectGraph::Edge& edge = edges[pending.edge_cursor];
    if (file.has_values(edge.node) && !restoration.taken(edge.node)) return true;
  }
  if (!restoration.options().slots) return false;
  const auto slots = file.slots_of_owner(*pending.file_node);
  for (; pending.slot_cursor < slots.size(); ++pending.slot_cursor) {
    if (!restoration.taken(file.slot(slots[pending.slot_cursor]).node)) return true;
  }
  return false;
}

}  // namespace ckpt::graph
