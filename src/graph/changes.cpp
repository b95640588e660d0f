#include "graph/changes.hpp"

#include <atomic>

namespace ckpt::graph {
namespace {

std::atomic<std::uint64_t> count = 0;

}  // namespace

void note_change() noexcept { count.fetch_add(1, std::memory_order_relaxed); }

std::uint64_t changes() noexcept { return count.load(std::memory_order_relaxed); }

}  // namespace ckpt::graph
