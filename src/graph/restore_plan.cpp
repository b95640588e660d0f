// What a restore would do, as a report.
#include "graph/plan.hpp"
#include "graph/save.hpp"
#include "graph/walk.hpp"

#include <ckpt/error.hpp>
#include <ckpt/restore.hpp>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

namespace ckpt {
namespace graph {
namespace {

using Names = std::unordered_map<const Node*, std::string>;

Names names_of(const Walk& objects) {
  Names names;
  for (const Visit& visit : objects.visits) names.emplace(visit.node.get(), visit.path);
  return names;
}

void add(RestorePlan& report, const Plan::Assignment& assignment, const std::string& path) {
  const TensorInfo& info = assignment.fit.info;
  if (assignment.fit.kind == Fit::Kind::exact) {
    report.matched.push_back({path, std::string{info.path}});
    return;
  }
  OnMismatch action = OnMismatch::error;
  if (assignment.fit.kind == Fit::Kind::cast) action = OnMismatch::cast;
  if (assignment.fit.kind == Fit::Kind::skip) action = OnMismatch::skip;
  report.mismatched.push_back({path, std::string{info.path}, assignment.variable->dtype, assignment.variable->shape,
                               info.dtype, info.shape, action});
}

void add_aliases(RestorePlan& report, const Restoration& restoration) {
  const Reader& reader = restoration.reader();
  for (const std::string& path : restoration.unmatched_in_file()) {  // all in scope, since nothing was applied
    const auto index = reader.find(path);
    if (!index) continue;
    const TensorInfo info = reader.info(*index);
    if (info.alias_of) report.aliases.push_back({path, std::string{reader.info(*info.alias_of).path}});
  }
}

}  // namespace

RestorePlan plan_restore(const CheckpointState& state, const Reader& reader, const RestoreOptions& options) {
  const auto root = require_root(state);
  const auto restoration = Restoration::open(reader, options, root);
  Plan plan;
  plan.match(restoration, restoration->base(), root);
  const Walk objects = walk(root);
  const Names names = names_of(objects);
  RestorePlan report;
  std::set<const Node*> found;
  std::set<std::string> taken;
  for (const Plan::Match& match : plan.matches()) {
    if (!match.node->is_variable || !match.file_node) continue;
    const std::string* path = restoration->file().tensor(*match.file_node);
    if (path == nullptr) continue;
    found.insert(match.node.get());
    taken.insert(*path);
  }
  for (const Plan::Assignment& assignment : plan.assignments()) {
    add(report, assignment, names.at(assignment.variable.get()));
  }
  const std::size_t count = options.slots ? objects.visits.size() : objects.objects;
  for (std::size_t i = 0; i < count; ++i) {
    const Visit& visit = objects.visits[i];
    if (visit.node->is_variable && !found.contains(visit.node.get())) report.missing.push_back(visit.path);
  }
  for (std::string& path : restoration->unmatched_in_file()) {
    if (!taken.contains(path)) report.extra.push_back(std::move(path));
  }
  if (restoration->base() == 0) std::erase(report.extra, kSaveCounterName);
  add_aliases(report, *restoration);
  report.idle_renames = restoration->idle_renames();
  std::ranges::sort(report.matched, {}, &RestorePlan::Match::path);
  std::ranges::sort(report.mismatched, {}, &RestorePlan::Mismatch::path);
  std::ranges::sort(report.missing);
  return report;
}

}  // namespace graph

bool RestorePlan::applicable() const {
  return std::ranges::none_of(mismatched, [](const Mismatch& entry) { return entry.action == OnMismatch::error; });
}

std::string RestorePlan::summary() const {
  std::string line = std::to_string(matched.size()) + " matched, " + std::to_string(mismatched.size()) +
                     " mismatched, " + std::to_string(missing.size()) + " missing, " + std::to_string(extra.size()) +
                     " extra";
  if (!idle_renames.empty()) line += ", " + graph::describe_idle(idle_renames);
  return line;
}

}  // namespace ckpt
