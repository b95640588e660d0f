#include "graph/collector.hpp"

#include "base/log.hpp"
#include "graph/restoration.hpp"
#include "graph/save.hpp"

#include <string>
#include <utility>
#include <vector>

namespace ckpt::graph {
namespace {

// What a restore brought and no object has taken yet is missing from the new file.
void warn_of_waiting(const Node& root) {
  const auto restoration = root.restores.empty() ? nullptr : root.restores.back().lock();
  if (!restoration || restoration->expects_partial()) return;
  const std::vector<std::string> waiting = restoration->pending();
  if (waiting.empty()) return;
  base::log(LogLevel::warning,
            "saving without " + std::to_string(waiting.size()) +
                " restored values that still wait for their objects: " + list_paths(waiting) +
                " (create the objects first, or call expect_partial() on the status of the restore)");
}

// Those that are asked may change what the root reaches: only who has come since is asked then.
Inventory ask_all(const std::shared_ptr<Node>& root, Inventory inventory) {
  constexpr int kMostRounds = 100;
  Asked asked;
  for (int round = 0; round < kMostRounds; ++round) {
    if (!inventory.is_same()) inventory = Inventory{root};
    inventory.ask(asked);
    if (inventory.is_same()) return inventory;
    inventory.add_to(asked);
  }
  throw Error{ErrorCode::limit,
              {.problem = "before_save of objects has added objects, of which before_save has added others, and so on "
                          "without end",
               .expected = "at most " + std::to_string(kMostRounds) + " times",
               .advice = "let before_save write values, and add objects before the save"}};
}

}  // namespace

Snapshot Collector::collect(const CheckpointState& state, std::vector<Snapshot::Tensor> list) {
  const auto root = require_root(state);
  inventory_ = ask_all(root, std::move(inventory_));
  Snapshot snapshot = inventory_.read(std::move(list));
  warn_of_waiting(*root);  // last: the callback of the log may destroy objects
  return snapshot;
}

}  // namespace ckpt::graph
