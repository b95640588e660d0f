// The object graph: nodes, edges and slots.
#include "patches.hpp"

namespace ckpt::test::hostile {
namespace {

constexpr std::size_t kFirstEdge = 0, kEdgeCount = 4, kTensor = 8, kNodeReserved = 12;
constexpr std::size_t kNameOffset = 0, kNameSize = 4, kTarget = 8, kEdgeReserved = 12;
constexpr std::size_t kOwner = 0, kVariable = 4, kSlotNode = 8, kSlotNameOffset = 12, kSlotNameSize = 16,
                      kSlotReserved = 20;

Case graph(std::string name, int number, Patch patch, std::vector<std::string> says, Verdict verdict = Verdict::part) {
  return {.name = "graph " + std::move(name),
          .number = number,
          .verdict = verdict,
          .says = std::move(says),
          .patch = std::move(patch)};
}

Patch node(std::size_t i, std::size_t field, std::uint32_t value) {
  return in_element(Column::nodes, kNodeBytes, i, field, value);
}
Patch edge(std::size_t i, std::size_t field, std::uint32_t value) {
  return in_element(Column::edges, kEdgeBytes, i, field, value);
}
Patch slot(std::size_t field, std::uint32_t value) { return in_element(Column::slots, kSlotBytes, 0, field, value); }

// A character of the name of the first edge.
Patch in_name(char c) {
  return [=](FileImage& image) {
    const auto name = image.get<std::uint32_t>(image.element(Column::edges, 0, kEdgeBytes) + kNameOffset);
    image.set<char>(image.element(Column::text, name + 1, 1), c);
  };
}

}  // namespace

Cases graph_cases() {
  constexpr const char* kEdges = "the edges of a node do not follow those of the one before";
  constexpr const char* kReserved = "reserved bytes are not zero";
  constexpr const char* kPool = "a name or text lies outside of its pool";
  return {
      graph("edges out of range", 98, node(0, kFirstEdge, kMost32), {kEdges, "expected", "found"}),
      graph("edges that wrap", 98, both(node(0, kFirstEdge, kMost32), node(0, kEdgeCount, 2)), {kEdges}),
      graph("too many edges", 22, node(0, kEdgeCount, kMost32), {kEdges}),
      graph("edges of the next node", 98, node(0, kEdgeCount, 4), {"edges are not in order", "kernel"}),
      graph("edges of no node", 98, node(3, kEdgeCount, 0), {"edges of no node"}),
      graph("tensor out of range", 41, node(2, kTensor, 1000), {"a node with no such tensor", "found 1000"}),
      graph("tensor of two nodes", 79,
            [](FileImage& image) { node(2, kTensor, static_cast<std::uint32_t>(image.find("w/m")))(image); },
            {"two nodes with one tensor"}),
      graph("reserved field of a node", 10, node(0, kNodeReserved, 1), {kReserved, "expected 0", "found 1"}),
      graph("edge to no node", 41, edge(0, kTarget, 4), {"an edge to no node", "model", "found 4"}),
      graph("edge far away", 41, edge(0, kTarget, kMost32), {"an edge to no node"}),
      graph("edge name out of range", 29, edge(0, kNameOffset, kMost32), {kPool}),
      graph("edge name too long", 47, edge(0, kNameSize, kMost32), {"kMaxPathBytes"}),
      graph("edge name of no bytes", 45, edge(0, kNameSize, 0), {"this is no name of an object"}),
      graph("edge name with slash", 51, in_name('/'), {"this is no name of an object", "m/del"}),
      graph("edge name with escape", 53, in_name('\x1b'), {"this is no name of an object", "m\\x1bdel"}),
      graph("edge name that is no UTF-8", 0, in_name('\xff'), {"this is no name of an object", "m\\xffdel"}),
      graph("reserved field of an edge", 10, edge(0, kEdgeReserved, 1), {kReserved}),
      graph("edges not in order", 46, swapped(Column::edges, kEdgeBytes, 0, 1), {"edges are not in order"}),
      graph("edge twice", 46, twice(Column::edges, kEdgeBytes, 0, 1), {"edges are not in order", "model"}),
      graph("slot of no owner", 41, slot(kOwner, 4), {"a slot of no node", "found 4"}),
      graph("slot of no variable", 41, slot(kVariable, kMost32), {"a slot of no node"}),
      graph("slot without a node", 41, slot(kSlotNode, 4), {"a slot of no node"}),
      graph("slot name out of range", 29, slot(kSlotNameOffset, kMost32), {kPool}),
      graph("slot name too long", 47, slot(kSlotNameSize, 4097), {"kMaxPathBytes", "found 4097"}),
      graph("slot name of no bytes", 45, slot(kSlotNameSize, 0), {"this is no name of an object"}),
      graph("reserved field of a slot", 10, slot(kSlotReserved, 1), {kReserved}),
      graph(
          "names that are shared", 35,
          [](FileImage& image) {
            const auto name = image.get<std::uint64_t>(image.element(Column::edges, 0, kEdgeBytes) + kNameOffset);
            image.set<std::uint64_t>(image.element(Column::slots, 0, kSlotBytes) + kSlotNameOffset, name);
          },
          {"names and texts of the index share bytes", "expected at most", "found"}, Verdict::verify),
      graph("slot that owns itself", 0, both(slot(kOwner, 3), slot(kVariable, 3)), {}, Verdict::accept),
      graph(
          "all edges lead to the root", 0,
          [](FileImage& image) {
            for (std::size_t i = 0; i < image.count(Column::edges); ++i) edge(i, kTarget, 0)(image);
          },
          {}, Verdict::accept),
      graph(
          "all edges lead to themselves", 0,
          both(edge(0, kTarget, 0), edge(1, kTarget, 0), edge(2, kTarget, 0), edge(3, kTarget, 1), edge(4, kTarget, 3)),
          {}, Verdict::accept),
      graph("a value at the root", 0,
            both(node(2, kTensor, kMost32),
                 [](FileImage& image) { node(0, kTensor, static_cast<std::uint32_t>(image.find("w")))(image); }),
            {}, Verdict::accept),
  };
}

}  // namespace ckpt::test::hostile
