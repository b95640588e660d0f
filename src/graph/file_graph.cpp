#include "graph/file_graph.hpp"

#include "base/text.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <limits>
#include <string>

namespace ckpt::graph {

namespace {

[[noreturn]] void refuse_order(const Reader& reader, std::string_view previous, std::string_view path) {
  throw Error{ErrorCode::corrupt,
              {.problem = "the paths of the tensors are not in order",
               .file = reader.path(),
               .object = std::string{path},
               .expected = "one behind " + base::escape(previous),
               .found = base::escape(path),
               .advice = "the file is damaged or was made by a faulty writer: use another checkpoint"}};
}

[[noreturn]] void refuse_depth(const Reader& reader, std::uint64_t most) {
  throw Error{ErrorCode::limit,
              {.problem = "the paths are too deep: as a tree they have too many nodes",
               .file = reader.path(),
               .expected = "at most " + std::to_string(most),
               .advice = "read the tensors with a Reader"}};
}

}  // namespace

FileGraph::FileGraph(const Reader& reader) : graph_{reader.graph()} {
  if (graph_.nodes.empty()) build_tree(reader);
  check(reader);
  slots_of_owner_.build(size(), graph_.slots.size(), [this](std::size_t i) { return graph_.slots[i].owner; });
  slots_of_variable_.build(size(), graph_.slots.size(), [this](std::size_t i) { return graph_.slots[i].variable; });
  find_values();
}

template <typename KeyOf>
void FileGraph::Groups::build(std::size_t groups, std::size_t count, KeyOf key_of) {
  first.assign(groups + 1, 0);
  items.resize(count);
  for (std::size_t i = 0; i < count; ++i) ++first[key_of(i) + 1];
  for (std::size_t g = 0; g < groups; ++g) first[g + 1] += first[g];
  std::vector<std::uint32_t> next(first.begin(), first.end() - 1);
  for (std::size_t i = 0; i < count; ++i) items[next[key_of(i)]++] = static_cast<std::uint32_t>(i);
}

std::optional<std::uint32_t> FileGraph::child(std::uint32_t node, std::string_view name) const {
  const auto& list = edges(node);
  const auto position = std::ranges::lower_bound(list, name, {}, &ObjectGraph::Edge::name);
  if (position == list.end() || position->name != name) return std::nullopt;
  return position->node;
}

std::optional<std::uint32_t> FileGraph::find(std::uint32_t node, std::string_view path) const {
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const auto next = child(node, path.substr(0, slash));
    if (!next) return std::nullopt;
    node = *next;
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return node;
}

// Tensors come in bytewise order of their paths, so that a new name mostly comes behind those that its node has. ('/'
// sorts among other characters: "a-b/c" comes before "a/c". A name moves those that begin with it, so that nothing
// moves more often than its path has bytes; in a file without this order it would be all, each time.)
void FileGraph::build_tree(const Reader& reader) {
  // A name may take two bytes of a file, and its node a hundred of memory. No program has so many names that it does
  // not use twice.
  const std::uint64_t most_nodes = 100'000 + reader.file().index_size / 8;
  graph_.nodes.emplace_back();
  std::uint64_t total = 0;
  std::string_view previous;
  for (std::size_t i = 0; i < reader.size(); ++i) {
    const TensorInfo info = reader.info(i);
    if (info.path <= previous) refuse_order(reader, previous, info.path);  // none is empty
    previous = info.path;
    total += info.path.size();
    if (total > reader.file().index_size) {  // in a sound file no two paths share bytes
      throw Error{ErrorCode::corrupt, {.problem = "the paths are longer than the index", .file = reader.path()}};
    }
    std::uint32_t node = 0;
    std::string_view rest = info.path;
    while (true) {
      const std::size_t slash = rest.find('/');
      const std::string_view name = rest.substr(0, slash);
      auto& edges_here = graph_.nodes[node].edges;
      const auto position = std::ranges::lower_bound(edges_here, name, {}, &ObjectGraph::Edge::name);
      if (position != edges_here.end() && position->name == name) {
        node = position->node;
      } else {
        const auto added = static_cast<std::uint32_t>(graph_.nodes.size());
        if (added > most_nodes) refuse_depth(reader, most_nodes);
        edges_here.insert(position, {std::string{name}, added});
        graph_.nodes.emplace_back();
        node = added;
      }
      if (slash == std::string_view::npos) break;
      rest.remove_prefix(slash + 1);
    }
    graph_.nodes[node].tensor = std::string{info.path};
  }
}

void FileGraph::check(const Reader& reader) const {
  const auto outside = [this](std::uint32_t node) { return node >= size(); };
  bool bad = size() >= std::numeric_limits<std::uint32_t>::max();
  for (const ObjectGraph::Node& node : graph_.nodes) {
    bad = bad || std::ranges::any_of(node.edges, outside, &ObjectGraph::Edge::node);
  }
  for (const ObjectGraph::Slot& slot : graph_.slots) {
    bad = bad || outside(slot.owner) || outside(slot.variable) || outside(slot.node);
  }
  if (bad) {
    throw Error{ErrorCode::corrupt,
                {.problem = "the object graph refers to a node that is not there", .file = reader.path()}};
  }
}

// Marks every node from which a value can be reached, going backwards along the edges. Not recursive: a file may hold a
// chain of any length.
void FileGraph::find_values() {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> up;  // child, parent
  for (std::uint32_t parent = 0; parent < size(); ++parent) {
    for (const ObjectGraph::Edge& edge : edges(parent)) up.emplace_back(edge.node, parent);
  }
  std::ranges::sort(up);
  has_values_.assign(size(), false);
  std::vector<std::uint32_t> todo;
  const auto mark = [&](std::uint32_t node) {
    if (has_values_[node]) return;
    has_values_[node] = true;
    todo.push_back(node);
  };
  for (std::uint32_t node = 0; node < size(); ++node) {
    if (tensor(node) != nullptr || !slots_of_owner(node).empty()) mark(node);
  }
  while (!todo.empty()) {
    const std::uint32_t node = todo.back();
    todo.pop_back();
    for (auto it = std::ranges::lower_bound(up, std::pair{node, 0U}); it != up.end() && it->first == node; ++it) {
      mark(it->second);
    }
  }
}

}  // namespace ckpt::graph
