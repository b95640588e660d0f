// The further paths of objects that a graph holds under several.
#pragma once

#include <ckpt/object_graph.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace ckptdump {

struct SharedPath {
  std::string path;    ///< where the object is also found
  std::string target;  ///< its own path; "" is the root
};

struct SharedPaths {
  std::vector<SharedPath> paths;
  std::size_t left_out = 0;
};

/// One for each edge that leads to an object known by another path: the path of its tensor, or else the shortest, the
/// first bytewise. Nothing below such an edge is repeated. Paths longer than kMaxPathBytes are left out, uncounted; so
/// are, and counted, those for which `most_bytes` of text have no room: below one long name there may be very many
/// edges.
SharedPaths shared_paths(const ckpt::ObjectGraph& graph, std::size_t most_bytes);

}  // namespace ckptdump
