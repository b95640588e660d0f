#include "graph/objects.hpp"

#include "graph/plan.hpp"

#include <ckpt/error.hpp>

#include <cstring>
#include <utility>
#include <vector>

namespace ckpt::graph {
namespace {

/// A file node whose value waits for something that is about to come; the latest restore first.
struct Candidate {
  std::shared_ptr<Restoration> restoration;
  std::uint32_t file_node;
};

std::vector<Candidate> waiting_for_child(const Node& parent, std::string_view name) {
  std::vector<Candidate> result;
  for (const Pending& pending : parent.pending) {
    if (const auto child = pending.restoration->file().child(pending.file_node, name)) {
      result.push_back({pending.restoration, *child});
    }
  }
  return result;
}

std::vector<Candidate> waiting_for_slot(const Node& owner, const std::shared_ptr<VariableNode>& variable,
                                        std::string_view name) {
  std::vector<Candidate> result;
  for (const Pending& pending : owner.pending) {
    const FileGraph& file = pending.restoration->file();
    for (const std::uint32_t file_variable : pending.restoration->file_nodes(variable)) {
      for (const std::uint32_t index : file.slots_of_variable(file_variable)) {
        const ObjectGraph::Slot& slot = file.slot(index);
        if (slot.owner == pending.file_node && slot.name == name) result.push_back({pending.restoration, slot.node});
      }
    }
  }
  return result;
}

/// A variable with the value of the latest candidate that has one and is not taken, or else with what `fill` gives.
std::shared_ptr<VariableNode> make_variable(DType dtype, const Shape& shape, const std::vector<Candidate>& candidates,
                                            const Fill& fill) {
  for (const Candidate& candidate : candidates) {
    const Restoration& restoration = *candidate.restoration;
    if (restoration.file().tensor(candidate.file_node) == nullptr || restoration.live(candidate.file_node)) continue;
    const std::size_t tensor = require_tensor(restoration, candidate.file_node, dtype, shape);
    auto variable = std::make_shared<VariableNode>(dtype, shape, load_new(restoration, tensor));
    variable->update_uid = restoration.uid();
    return variable;
  }
  Storage storage = allocate(size_in_bytes(dtype, shape));
  std::memset(storage.data, 0, storage.size);
  auto variable = std::make_shared<VariableNode>(dtype, shape, std::move(storage));
  if (fill) fill(variable);
  return variable;
}

Plan plan_for(const std::vector<Candidate>& candidates, const std::shared_ptr<Node>& node) {
  Plan plan;
  for (const Candidate& candidate : candidates) plan.match(candidate.restoration, candidate.file_node, node);
  plan.prepare();
  return plan;
}

void drop_finished(Node& node) {
  for (auto it = node.pending.begin(); it != node.pending.end();) {
    it = still_pending(node, *it) ? it + 1 : node.pending.erase(it);
  }
}

void require_free(const Node& parent, std::string_view name) {
  if (!parent.child(name)) return;
  throw Error{ErrorCode::already_exists,
              {.problem = "the object already tracks a child of this name",
               .object = std::string{name},
               .advice = "names of children are unique: use another name, or keep the handle of the first"}};
}

void link(Node& parent, std::string_view name, const std::shared_ptr<Node>& child) {
  Edge edge;
  if (child->is_variable) {
    edge.variable = as_variable(child);
  } else {
    edge.object = child;
  }
  parent.children.insert_or_assign(std::string{name}, std::move(edge));
}

}  // namespace

std::shared_ptr<VariableNode> create_variable(Node& parent, std::string_view name, DType dtype, const Shape& shape,
                                              const Fill& fill) {
  require_name(name);
  require_free(parent, name);
  const auto candidates = waiting_for_child(parent, name);
  auto variable = make_variable(dtype, shape, candidates, fill);
  Plan plan = plan_for(candidates, variable);
  require_free(parent, name);  // `fill` is the caller's code and may have used the object
  link(parent, name, variable);
  plan.apply();
  drop_finished(parent);
  return variable;
}

std::shared_ptr<VariableNode> create_slot(Node& owner, const std::shared_ptr<VariableNode>& variable,
                                          std::string_view name, DType dtype, const Fill& fill) {
  require_name(name);
  const std::string key{name};
  if (auto slot = owner.slot(variable, key)) {
    if (slot->dtype == dtype) return slot;
    throw Error{ErrorCode::mismatch,
                {.problem = "the slot exists with another dtype",
                 .object = key,
                 .expected = std::string{to_string(dtype)},
                 .found = std::string{to_string(slot->dtype)}}};
  }
  const auto candidates = waiting_for_slot(owner, variable, name);
  auto value = make_variable(dtype, variable->shape, candidates, fill);
  Plan plan = plan_for(candidates, value);
  owner.slots.insert_or_assign({variable.get(), key}, Slot{variable, value});
  plan.apply();
  drop_finished(owner);
  return value;
}

void track(Node& parent, std::string_view name, const std::shared_ptr<Node>& child) {
  require_name(name);
  if (parent.child(name) == child) return;
  require_free(parent, name);
  Plan plan = plan_for(waiting_for_child(parent, name), child);
  link(parent, name, child);
  plan.apply();
  drop_finished(parent);
}

}  // namespace ckpt::graph
