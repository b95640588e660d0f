#include "graph/objects.hpp"

#include "graph/plan.hpp"
#include "graph/walk.hpp"

#include <ckpt/error.hpp>

#include <tuple>
#include <utility>
#include <vector>

namespace ckpt::graph {
namespace {

/// A file node whose value waits for something that is about to come; the latest restore first.
struct Candidate {
  std::shared_ptr<Restoration> restoration;
  FileNode file_node;
  std::string path;  // of what is about to come, where the rules need it
};

std::vector<Candidate> waiting_for_child(const Node& parent, std::string_view name) {
  std::vector<Candidate> result;
  for (const Pending& pending : parent.pending) {
    const RestoreRules& rules = pending.restoration->rules();
    std::string path = rules.need_paths() ? join(pending.path, name) : std::string{};
    FileNode child = pending.restoration->child(pending.file_node, name, path);
    if (child && pending.restoration->taken(*child)) child.reset();
    if (child || rules.renames_below(path)) result.push_back({pending.restoration, child, std::move(path)});
  }
  return result;
}

std::vector<Candidate> waiting_for_slot(const Node& owner, const std::shared_ptr<VariableNode>& variable,
                                        std::string_view name) {
  std::vector<Candidate> result;
  for (const Pending& pending : owner.pending) {
    const Restoration& restoration = *pending.restoration;
    if (!restoration.options().slots) continue;
    for (const std::uint32_t file_variable : restoration.file_nodes(variable)) {
      for (const std::uint32_t index : restoration.file().slots_of_variable(file_variable)) {
        const ObjectGraph::Slot& slot = restoration.file().slot(index);
        if (slot.owner != pending.file_node || slot.name != name || restoration.taken(slot.node)) continue;
        std::string path = restoration.rules().need_paths()
                               ? join(join(pending.path, name), restoration.path_of(file_variable))
                               : std::string{};
        result.push_back({pending.restoration, slot.node, std::move(path)});
      }
    }
  }
  return result;
}

/// A variable with the value of the latest candidate that has one and is not taken, or else with what `fill` gives.
std::shared_ptr<VariableNode> make_variable(DType dtype, const Shape& shape, const std::vector<Candidate>& candidates,
                                            const Fill& fill) {
  for (const Candidate& candidate : candidates) {
    Restoration& restoration = *candidate.restoration;
    if (!candidate.file_node || restoration.file().tensor(*candidate.file_node) == nullptr) continue;
    if (restoration.live(*candidate.file_node)) continue;
    const Fit found = fit(restoration, *candidate.file_node, dtype, shape, candidate.path);
    if (found.kind == Fit::Kind::skip) continue;
    if (found.kind == Fit::Kind::none) throw mismatch(restoration, found, dtype, shape);
    auto variable = std::make_shared<VariableNode>(dtype, shape, new_storage(restoration, found, dtype));
    variable->update_uid = restoration.uid();
    return variable;
  }
  auto variable = std::make_shared<VariableNode>(dtype, shape, initial_storage(dtype, shape));
  if (fill) fill(variable);
  return variable;
}

// `parent` is told when the node is a variable that gets a value.
Plan plan_for(const std::vector<Candidate>& candidates, const std::shared_ptr<Node>& node,
              const std::shared_ptr<Node>& parent = nullptr) {
  Plan plan;
  for (const Candidate& candidate : candidates) {
    plan.match(candidate.restoration, candidate.file_node, node, candidate.path, parent);
  }
  plan.prepare();
  return plan;
}

void drop_finished(Node& node) {
  std::erase_if(node.pending, [](Pending& pending) { return !still_pending(pending); });
}

void require_possible(std::string_view name, DType dtype, const Shape& shape) {
  if (!has_variable_length(dtype) || shape == Shape{}) return;
  throw Error{ErrorCode::invalid_argument,
              {.problem = "a variable of text or bytes is one element",
               .object = std::string{name},
               .expected = describe(dtype, Shape{}),
               .found = describe(dtype, shape),
               .advice = "use a ckpt::List of them"}};
}

void require_free(const Node& parent, std::string_view name) {
  if (!parent.child(name)) return;
  throw Error{ErrorCode::already_exists,
              {.problem = "the object already tracks a child of this name",
               .object = std::string{name},
               .advice = "names of children are unique: use another name, or keep the handle of the first"}};
}

/// The edge to a new child; taken back unless keep() is called.
class Link {
 public:
  Link(Node& parent, std::string_view name, const std::shared_ptr<Node>& child) : parent_{parent} {
    std::tie(position_, added_) = parent.children.try_emplace(std::string{name});
    Edge edge;
    if (child->is_variable) {
      edge.variable = as_variable(child);
    } else {
      edge.object = child;
    }
    before_ = std::exchange(position_->second, std::move(edge));
    ++parent.changes;
  }
  ~Link() {
    if (kept_) return;
    ++parent_.changes;
    if (added_) {
      parent_.children.erase(position_);
    } else {
      position_->second = std::move(before_);  // to an object that was destroyed
    }
  }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void keep() noexcept { kept_ = true; }

 private:
  Node& parent_;
  decltype(Node::children)::iterator position_;
  Edge before_;
  bool added_ = false;
  bool kept_ = false;
};

}  // namespace

std::shared_ptr<VariableNode> create_variable(Node& parent, std::string_view name, DType dtype, const Shape& shape,
                                              const Fill& fill) {
  require_name(name);
  require_possible(name, dtype, shape);
  require_free(parent, name);
  const auto candidates = waiting_for_child(parent, name);
  auto variable = make_variable(dtype, shape, candidates, fill);
  Plan plan = plan_for(candidates, variable);
  require_free(parent, name);  // `fill` is the caller's code and may have used the object
  Link link{parent, name, variable};
  plan.apply();
  plan.tell();
  link.keep();
  drop_finished(parent);
  return variable;
}

std::shared_ptr<VariableNode> create_slot(Node& owner, const std::shared_ptr<VariableNode>& variable,
                                          std::string_view name, DType dtype, const Shape& shape, const Fill& fill) {
  require_name(name);
  const std::string key{name};
  if (auto slot = owner.slot(variable, key)) {
    if (slot->dtype == dtype && slot->shape == shape) return slot;
    throw Error{ErrorCode::mismatch,
                {.problem = "the slot exists with another dtype or shape",
                 .object = key,
                 .expected = describe(dtype, shape),
                 .found = describe(slot->dtype, slot->shape)}};
  }
  require_possible(name, dtype, shape);
  const auto candidates = waiting_for_slot(owner, variable, name);
  auto value = make_variable(dtype, shape, candidates, fill);
  Plan plan = plan_for(candidates, value);
  owner.slots.insert_or_assign({variable.get(), key}, Slot{variable, value});
  ++owner.changes;
  plan.apply();
  plan.tell();
  drop_finished(owner);
  return value;
}

void track(const std::shared_ptr<Node>& parent, std::string_view name, const std::shared_ptr<Node>& child) {
  require_name(name);
  if (parent->child(name) == child) return;
  require_free(*parent, name);
  const auto candidates = waiting_for_child(*parent, name);
  Link link{*parent, name, child};  // first, because the child may lead back to the parent, and so through this edge
  Plan plan = plan_for(candidates, child, parent);
  plan.apply();
  plan.tell();
  link.keep();
  drop_finished(*parent);
}

void untrack(Node& parent, std::string_view name) noexcept {
  const auto position = parent.children.find(name);
  if (position == parent.children.end()) return;
  parent.children.erase(position);
  ++parent.changes;
}

}  // namespace ckpt::graph
