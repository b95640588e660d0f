#include "shared_objects.hpp"

#include <ckpt/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

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
  Walk(const ckpt::ObjectGraph& graph, std::size_t most_bytes)
      : graph_{graph}, room_{most_bytes}, origins_(graph.nodes.size()) {}

  SharedPaths run() {
    std::vector<std::uint32_t> queue{0};
    origins_[0].seen = true;
    for (std::size_t next = 0; next < queue.size(); ++next) {
      const std::uint32_t parent = queue[next];
      for (const ckpt::ObjectGraph::Edge& edge : graph_.nodes[parent].edges) visit(parent, edge, queue);
    }
    return std::move(found_);
  }

 private:
  void visit(std::uint32_t parent, const ckpt::ObjectGraph::Edge& edge, std::vector<std::uint32_t>& queue) {
    if (edge.node >= origins_.size()) return;
    const std::size_t above = origins_[parent].path_bytes;
    const Origin way{parent, &edge.name, above + (above == 0 ? 0 : 1) + edge.name.size(), true};
    if (way.path_bytes > ckpt::kMaxPathBytes) return;
    if (!origins_[edge.node].seen) {
      origins_[edge.node] = way;
      queue.push_back(edge.node);
      if (!graph_.nodes[edge.node].tensor) return;  // this way is its path
    }
    add(way, edge.node);
  }

  void add(const Origin& way, std::uint32_t node) {
    const std::size_t own_bytes = own_path_bytes(node);
    if (way.path_bytes == own_bytes && path_of(way) == own_path(node)) return;
    if (way.path_bytes + own_bytes > room_) {
      ++found_.left_out;
      return;
    }
    room_ -= way.path_bytes + own_bytes;
    found_.paths.push_back({path_of(way), own_path(node)});
  }

  std::size_t own_path_bytes(std::uint32_t node) const {
    const auto& tensor = graph_.nodes[node].tensor;
    return tensor ? tensor->size() : origins_[node].path_bytes;
  }

  std::string own_path(std::uint32_t node) const {
    const auto& tensor = graph_.nodes[node].tensor;
    return tensor ? *tensor : path_of(origins_[node]);
  }

  // Spelled out from its end.
  std::string path_of(const Origin& last) const {
    std::string path(last.path_bytes, '/');
    std::size_t end = path.size();
    for (const Origin* origin = &last; origin->name != nullptr; origin = &origins_[origin->parent]) {
      end -= origin->name->size();
      path.replace(end, origin->name->size(), *origin->name);
      end -= end == 0 ? 0 : 1;
    }
    return path;
  }

  const ckpt::ObjectGraph& graph_;
  std::size_t room_;  // bytes of text
  std::vector<Origin> origins_;
  SharedPaths found_;
};

}  // namespace

SharedPaths shared_paths(const ckpt::ObjectGraph& graph, std::size_t most_bytes) {
  if (graph.nodes.empty()) return {};
  return Walk{graph, most_bytes}.run();
}

}  // namespace ckptdump
