#include "graph/plan.hpp"

#include "graph/access.hpp"
#include "graph/walk.hpp"

#include <ckpt/error.hpp>
#include <ckpt/limits.hpp>

#include <algorithm>
#include <exception>
#include <map>
#include <unordered_set>
#include <utility>

namespace ckpt::graph {
namespace {

// The first of the errors, which also names the others.
Error first_of(const std::vector<Error>& errors) {
  ErrorDetails details = errors.front().details();
  if (errors.size() > 1) {
    std::vector<std::string> others;
    for (std::size_t i = 1; i < errors.size(); ++i) {
      const ErrorDetails& other = errors[i].details();
      others.push_back(other.object + " (expected " + other.expected + ", found " + other.found + ")");
    }
    details.problem += "; so do " + list_paths(others) + "; the first one is";
  }
  return Error{ErrorCode::mismatch, std::move(details)};
}

}  // namespace

void Plan::match(const std::shared_ptr<Restoration>& restoration, FileNode file_node, const std::shared_ptr<Node>& node,
                 std::string path, const std::shared_ptr<Node>& parent) {
  todo_.push_back({restoration, file_node, node, std::move(path), parent, true});
  asked_.push_back(todo_.back());
  while (!todo_.empty()) {
    const Match next = std::move(todo_.front());
    todo_.pop_front();
    step(next);
  }
}

void Plan::step(const Match& match) {
  if (match.file_node) {
    // Bound already: to the same object, or to another one, and then this one stays unmatched.
    if (live(*match.restoration, *match.file_node)) return;
    if (match.restoration->taken(*match.file_node) && !match.asked) return;  // by an object that is gone
    planned_[match.restoration.get()].insert_or_assign(*match.file_node, Place{match.node, match.path});
  }
  matches_.push_back(match);
  if (match.node->is_variable) {
    assign_later(match);
  } else if (match.restoration->rules().need_paths()) {
    descend_by_rules(match);
  } else {
    descend(match);
  }
  if (match.file_node && match.restoration->options().slots) connect_slots(match);
}

void Plan::assign_later(const Match& match) {
  if (!match.file_node || match.restoration->file().tensor(*match.file_node) == nullptr) return;
  auto variable = as_variable(match.node);
  std::uint64_t& uid = planned_uid_.try_emplace(variable.get(), variable->update_uid).first->second;
  if (uid >= match.restoration->uid()) return;  // a later restore, or another place in this file, has given a value
  Fit found = fit(*match.restoration, *match.file_node, variable->dtype, variable->shape, match.path);
  if (found.kind != Fit::Kind::skip) uid = match.restoration->uid();
  assignments_.push_back({match, std::move(variable), std::move(found), {}});
}

void Plan::descend(const Match& match) {
  for (const ObjectGraph::Edge& edge : match.restoration->file().edges(*match.file_node)) {
    if (auto child = match.node->child(edge.name)) {
      todo_.push_back({match.restoration, edge.node, std::move(child), {}, match.node});
    }
  }
}

// Along the names of the program, because what the file has for them may lie anywhere. Cycles end: an object without a
// place in the file is entered only as long as a rename speaks of something below it, and patterns have an end.
void Plan::descend_by_rules(const Match& match) {
  const Restoration& restoration = *match.restoration;
  for (const auto& [name, edge] : match.node->children) {
    auto child = edge.lock();
    if (!child) continue;
    std::string path = join(match.path, name);
    // In a cycle of objects a chain in the file could make paths of any length.
    if (path.size() > kMaxPathBytes) {
      throw Error{ErrorCode::limit,
                  {.problem = "a path in the program is longer than 4096 bytes (kMaxPathBytes)",
                   .file = restoration.path(),
                   .object = std::move(path),
                   .advice = "restore without renames and rules for differences, which go by paths"}};
    }
    const FileNode file_node = restoration.child(match.file_node, name, path);
    if (!file_node && (child->is_variable || !restoration.rules().renames_below(path))) continue;
    todo_.push_back({match.restoration, file_node, std::move(child), std::move(path), match.node});
  }
}

// A slot is bound when both of its ends are, whichever comes last.
void Plan::connect_slots(const Match& match) {
  const FileGraph& file = match.restoration->file();
  const auto connect = [&](std::uint32_t index) {
    const ObjectGraph::Slot& slot = file.slot(index);
    const auto owner = live(*match.restoration, slot.owner);
    const auto variable = as_variable(live(*match.restoration, slot.variable));
    if (!owner || !variable) return;
    if (auto value = owner->slot(variable, slot.name)) {
      std::string path;
      if (match.restoration->rules().need_paths()) {
        path =
            join(join(path_of(*match.restoration, slot.owner), slot.name), path_of(*match.restoration, slot.variable));
      }
      todo_.push_back({match.restoration, slot.node, std::move(value), std::move(path), owner});
    }
  };
  for (const std::uint32_t index : file.slots_of_owner(*match.file_node)) connect(index);
  for (const std::uint32_t index : file.slots_of_variable(*match.file_node)) connect(index);
}

std::shared_ptr<Node> Plan::live(const Restoration& restoration, std::uint32_t file_node) const {
  if (const auto group = planned_.find(&restoration); group != planned_.end()) {
    if (const auto position = group->second.find(file_node); position != group->second.end())
      return position->second.node;
  }
  return restoration.live(file_node);
}

std::string Plan::path_of(const Restoration& restoration, std::uint32_t file_node) const {
  if (const auto group = planned_.find(&restoration); group != planned_.end()) {
    if (const auto position = group->second.find(file_node); position != group->second.end())
      return position->second.path;
  }
  return restoration.path_of(file_node);
}

void Plan::prepare() {
  std::vector<Error> mismatches;
  for (const Assignment& assignment : assignments_) {
    if (assignment.fit.kind != Fit::Kind::none) continue;
    mismatches.push_back(mismatch(*assignment.match.restoration, assignment.fit, assignment.variable->dtype,
                                  assignment.variable->shape));
  }
  if (!mismatches.empty()) throw first_of(mismatches);
  bind_values();
  find_parents();
  prepare_to_wait();
}

void Plan::bind_values() {
  struct Group {
    std::vector<Assignment*> checked;
    std::vector<Assignment*> straight;
  };
  std::map<Restoration*, Group> groups;
  for (Assignment& assignment : assignments_) {
    if (assignment.fit.kind == Fit::Kind::skip) continue;
    Restoration& restoration = *assignment.match.restoration;
    Group& group = groups[&restoration];
    const bool straight = goes_straight(restoration, assignment.fit, *assignment.variable);
    (straight ? group.straight : group.checked).push_back(&assignment);
  }
  for (const auto& [restoration, group] : groups) {
    bind_checked(*restoration, group.checked);
    bind_straight(*restoration, group.straight);
  }
}

// All tensors at once, so that they are read and checked with all cores.
void Plan::bind_checked(Restoration& restoration, const std::vector<Assignment*>& assignments) {
  std::vector<std::size_t> tensors;
  tensors.reserve(assignments.size());
  for (const Assignment* assignment : assignments) tensors.push_back(assignment->fit.tensor);
  std::vector<TensorView> values = restoration.reader().tensors(tensors);
  StraightReads mapped{restoration.reader(), {}, {}};
  for (std::size_t i = 0; i < assignments.size(); ++i) {
    Assignment& assignment = *assignments[i];
    assignment.value = new_value(restoration, assignment.fit, *assignment.variable, std::move(values[i]));
    const Copy copy = copy_for(*assignment.variable, assignment.value);
    if (copy.from.empty()) continue;
    if (!copy.converts() && lies_in_mapping(restoration, assignment.fit.info)) {
      mapped.requests.push_back({tensors[i], {copy.to, copy.from.size()}});
      mapped.copies.push_back(copy);
    } else {
      add_pieces(copies_, copy);
    }
  }
  if (!mapped.requests.empty()) straight_reads_.push_back(std::move(mapped));
}

void Plan::bind_straight(Restoration& restoration, const std::vector<Assignment*>& assignments) {
  StraightReads reads{restoration.reader(), {}, {}};
  reads.requests.reserve(assignments.size());
  for (Assignment* const assignment : assignments) {
    assignment->value = straight_value(assignment->fit, *assignment->variable);
    reads.requests.push_back({assignment->fit.tensor, destination(*assignment->variable, assignment->value)});
  }
  if (!reads.requests.empty()) straight_reads_.push_back(std::move(reads));
}

void Plan::find_parents() {
  std::unordered_set<const Node*> known;
  for (const Assignment& assignment : assignments_) {
    const auto& parent = assignment.match.parent;
    if (!parent || assignment.fit.kind == Fit::Kind::skip) continue;
    if (known.insert(parent.get()).second) parents_.push_back(parent);
  }
}

void Plan::prepare_to_wait() {
  for (const Match& match : matches_) {
    match.restoration->know(match.node);
    if (match.node->is_variable) continue;
    Wait& wait = waits_.emplace_back(match.node.get());
    wait.entry.push_back({match.restoration, match.file_node, match.path});
  }
}

void Plan::apply() {
  for (const StraightReads& reads : straight_reads_) read_straight(reads);
  copy_all(copies_, 0);
  for (Assignment& assignment : assignments_) {
    Restoration& restoration = *assignment.match.restoration;
    if (assignment.fit.kind == Fit::Kind::skip) {
      restoration.skip(*assignment.match.file_node);
    } else {
      assign(*assignment.variable, std::move(assignment.value), restoration.uid());
    }
  }
  for (Match& match : matches_) bind(match);
  wait_for_the_rest();
}

void Plan::bind(Match& match) noexcept {
  if (!match.file_node) return;
  match.restoration->bind(*match.file_node, match.node, std::move(match.path));
  if (!match.asked) match.restoration->take(*match.file_node);
}

void Plan::wait_for_the_rest() noexcept {
  for (Wait& wait : waits_) {
    Pending& entry = wait.entry.front();
    if (!still_pending(entry)) continue;
    auto& list = wait.node->pending;
    const auto position = std::ranges::find_if(
        list, [&](const Pending& other) { return other.restoration->uid() < entry.restoration->uid(); });
    list.splice(position, wait.entry);
  }
}

void Plan::give_back() noexcept {
  for (const Match& match : matches_) {
    if (match.file_node && !match.asked) match.restoration->give_back(*match.file_node);
  }
}

void Plan::tell() {
  std::exception_ptr failure;
  for (const auto& parent : parents_) {
    try {
      if (parent->object != nullptr) Access::after_restore(*parent->object);
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) {
    give_back();
    std::rethrow_exception(failure);
  }
  for (const Match& match : asked_) {
    if (match.file_node) match.restoration->take(*match.file_node);
  }
}

}  // namespace ckpt::graph
