#include "graph/access.hpp"
#include "graph/objects.hpp"
#include "graph/save.hpp"
#include "os/directory.hpp"

#include <ckpt/checkpoint.hpp>
#include <ckpt/error.hpp>

#include <string_view>
#include <vector>

namespace ckpt {

Checkpoint::Checkpoint() : state_{std::make_shared<graph::CheckpointState>()} {
  state_->root = graph::Access::node(*this);
}

Checkpoint::Checkpoint(std::initializer_list<Item> items) : Checkpoint{} {
  for (const Item& item : items) track(item.name, item.child);
}

Checkpoint::Checkpoint(Trackable& root, std::initializer_list<Item> items) : Checkpoint{} {
  // This object has no place of its own in the graph: its root's is the one that counts.
  graph::Access::node(*this) = nullptr;
  state_->root = graph::Access::node(Child{root});
  const auto root_node = graph::require_root(*state_);
  std::vector<std::string_view> added;
  added.reserve(items.size());
  try {
    for (const Item& item : items) {
      const bool is_new = root_node->child(item.name) == nullptr;
      track(item.name, item.child);
      if (is_new) added.push_back(item.name);
    }
  } catch (...) {
    for (const std::string_view name : added) graph::untrack(*root_node, name);
    throw;
  }
}

Checkpoint::~Checkpoint() = default;

void Checkpoint::track(std::string_view name, const Child& child) {
  graph::track(graph::require_root(*graph::state_of(*this)), name, graph::Access::node(child));
}

std::filesystem::path Checkpoint::save(const std::filesystem::path& prefix, const SaveOptions& options) {
  Variable<std::int64_t> counter = save_counter();
  const std::int64_t number = graph::next_number(counter);
  const std::filesystem::path path = graph::numbered_path(prefix, number);
  counter = number;
  return write(path, options);
}

std::filesystem::path Checkpoint::write(const std::filesystem::path& path, const SaveOptions& options) {
  os::Directory::create_all(os::parent_of(path));
  graph::save_objects(*graph::state_of(*this), path, options);
  return path;
}

RestoreStatus Checkpoint::restore(const std::filesystem::path& path, const RestoreOptions& options) {
  return graph::restore_with_counter(*graph::state_of(*this), graph::open_for(path, options), options);
}

RestoreStatus Checkpoint::read(const std::filesystem::path& path, const RestoreOptions& options) {
  return graph::restore_objects(*graph::state_of(*this), graph::open_for(path, options), options);
}

RestorePlan Checkpoint::plan(const std::filesystem::path& path, const RestoreOptions& options) const {
  return graph::plan_restore(*graph::state_of(*this), graph::open_for(path, options), options);
}

Variable<std::int64_t> Checkpoint::save_counter() { return graph::save_counter(*graph::state_of(*this)); }

}  // namespace ckpt
