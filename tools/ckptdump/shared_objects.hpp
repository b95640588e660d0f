// The further paths of objects that a graph holds under several.
#pragma once

#include <ckpt/object_graph.hpp>

#include <string>
#include <vector>

namespace ckptdump {

struct SharedPath {
  std::string path;    ///< where the object is also found
  std::string target;  ///< its own path; "" is the root
};

/// One for each edge that leads to an object known by another path: the path of its tensor, or else the shortest, the
/// first bytewise. Nothing below such an edge is repeated. Paths longer than kMaxPathBytes are left out.
std::vector<SharedPath> shared_paths(const ckpt::ObjectGraph& graph);

}  // namespace ckptdump
