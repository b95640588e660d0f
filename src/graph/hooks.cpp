#include "graph/hooks.hpp"

#include "graph/access.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_set>

namespace ckpt::graph {
namespace {

// One for all threads, because a hook may hand its work to others and wait for them. A change of objects of another
// checkpoint costs a second walk.
std::atomic<std::uint64_t> changes = 0;

}  // namespace

void note_change() noexcept { changes.fetch_add(1, std::memory_order_relaxed); }

Walk walk_for_save(const std::shared_ptr<Node>& root) {
  std::unordered_set<std::shared_ptr<const Node>> asked;  // held, so that no other node comes to lie at the address
  while (true) {
    Walk objects = walk(root);
    const std::uint64_t before = changes.load(std::memory_order_relaxed);
    for (const Visit& visit : objects.visits) {
      Trackable* object = visit.node->object;
      if (object != nullptr && asked.insert(visit.node).second) Access::before_save(*object);
    }
    if (changes.load(std::memory_order_relaxed) == before) return objects;
  }
}

}  // namespace ckpt::graph
