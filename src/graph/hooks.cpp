#include "graph/hooks.hpp"

#include "graph/access.hpp"

#include <cstdint>
#include <memory>
#include <unordered_set>

namespace ckpt::graph {
namespace {

// The objects of a checkpoint belong to one thread at a time, and the calls are made on it.
thread_local std::uint64_t changes = 0;

}  // namespace

void note_change() noexcept { ++changes; }

Walk walk_for_save(const std::shared_ptr<Node>& root) {
  std::unordered_set<std::shared_ptr<const Node>> asked;  // held, so that no other node comes to lie at the address
  while (true) {
    Walk objects = walk(root);
    const std::uint64_t before = changes;
    for (const Visit& visit : objects.visits) {
      Trackable* object = visit.node->object;
      if (object != nullptr && asked.insert(visit.node).second) Access::before_save(*object);
    }
    if (changes == before) return objects;
  }
}

}  // namespace ckpt::graph
