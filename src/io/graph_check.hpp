// What an object graph must be before it is written.
#pragma once

#include <ckpt/object_graph.hpp>

namespace ckpt::io {

/// Sorts the edges of each node. Throws invalid_argument when an edge or slot leaves the graph, a name is not allowed
/// or repeats, or two nodes name one tensor.
void normalise(ObjectGraph& graph);

}  // namespace ckpt::io
