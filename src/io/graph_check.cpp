#include "io/graph_check.hpp"

#include "base/path.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <set>
#include <string_view>
#include <tuple>

namespace ckpt::io {
namespace {

void require(bool condition, const char* problem, std::string_view object) {
  if (!condition) throw Error{ErrorCode::invalid_argument, {.problem = problem, .object = std::string{object}}};
}

void check_name(std::string_view name) {
  if (const char* reason = base::why_not_a_name(name)) {
    throw Error{
        ErrorCode::invalid_argument,
        {.problem = std::string{"this cannot be the name of an object: "} + reason, .object = std::string{name}}};
  }
}

}  // namespace

void normalise(ObjectGraph& graph) {
  const std::size_t count = graph.nodes.size();
  std::set<std::string_view> tensors;
  for (ObjectGraph::Node& node : graph.nodes) {
    std::ranges::sort(node.edges, {}, &ObjectGraph::Edge::name);
    const auto twice = std::ranges::adjacent_find(node.edges, {}, &ObjectGraph::Edge::name);
    if (twice != node.edges.end()) require(false, "two children of one object have this name", twice->name);
    for (const ObjectGraph::Edge& edge : node.edges) {
      check_name(edge.name);
      require(edge.node < count, "an edge to no node of the graph", edge.name);
    }
    if (node.tensor)
      require(tensors.insert(*node.tensor).second, "two nodes of the graph name this tensor", *node.tensor);
  }
  std::set<std::tuple<std::uint32_t, std::uint32_t, std::string_view>> slots;
  for (const ObjectGraph::Slot& slot : graph.slots) {
    check_name(slot.name);
    require(slot.owner < count && slot.variable < count && slot.node < count, "a slot of no node of the graph",
            slot.name);
    require(slots.emplace(slot.owner, slot.variable, slot.name).second, "a slot twice", slot.name);
  }
}

}  // namespace ckpt::io
