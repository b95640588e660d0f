#include "shared_objects.hpp"

#include <ckpt/limits.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace ckptdump {
namespace {

constexpr std::uint32_t kUnseen = std::numeric_limits<std::uint32_t>::max();

// How the search reached a node. Paths are spelled out only where they are needed.
struct Origin {
  std::uint32_t parent = kUnseen;
  const std::string* name = nullptr;
  std::size_t path_bytes = 0;
  bool seen = false;
};

class Walk {
 public:
  explicit Walk(const ckpt::ObjectGraph& graph) : graph_{graph}, origins_(graph.nodes.size()) {}

  std::vector<SharedPath> run() {
    std::vector<SharedPath> found;
    std::vector<std::uint32_t> queue{0};
    origins_[0].seen = true;
    for (std::size_t next = 0; next < queue.size(); ++next) {
      const std::uint32_t parent = queue[next];
      for (const ckpt::ObjectGraph::Edge& edge : graph_.nodes[parent].edges) visit(parent, edge, queue, found);
    }
    return found;
  }

 private:
  void visit(std::uint32_t parent, const ckpt::ObjectGraph::Edge& edge, std::vector<std::uint32_t>& queue,
             std::vector<SharedPath>& found) {
    if (edge.node >= origins_.size()) return;
    const std::size_t bytes = origins_[parent].path_bytes + edge.name.size() + 1;
    if (bytes > ckpt::kMaxPathBytes) return;
    Origin& origin = origins_[edge.node];
    const bool first = !origin.seen;
    if (first) {
      origin = {parent, &edge.name, bytes, true};
      queue.push_back(edge.node);
      if (!graph_.nodes[edge.node].tensor) return;
    }
    std::string path = path_of(parent);
    if (!path.empty()) path += '/';
    path += edge.name;
    std::string target = own_path(edge.node);
    if (path != target) found.push_back({std::move(path), std::move(target)});
  }

  std::string own_path(std::uint32_t node) const {
    const auto& tensor = graph_.nodes[node].tensor;
    return tensor ? *tensor : path_of(node);
  }

  std::string path_of(std::uint32_t node) const {
    std::vector<const std::string*> names;
    for (; origins_[node].name != nullptr; node = origins_[node].parent) names.push_back(origins_[node].name);
    std::string path;
    std::ranges::reverse(names);
    for (const std::string* name : names) {
      if (!path.empty()) path += '/';
      path += *name;
    }
    return path;
  }

  const ckpt::ObjectGraph& graph_;
  std::vector<Origin> origins_;
};

}  // namespace

std::vector<SharedPath> shared_paths(const ckpt::ObjectGraph& graph) {
  if (graph.nodes.empty()) return {};
  return Walk{graph}.run();
}

}  // namespace ckptdump
