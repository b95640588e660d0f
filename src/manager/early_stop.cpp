#include "manager/early_stop.hpp"

#include "graph/access.hpp"
#include "graph/objects.hpp"
#include "graph/save.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <utility>

namespace ckpt::manager {
namespace {

constexpr const char* kName = "early_stopping";

EarlyStopping checked(const EarlyStopping& options) {
  const auto refuse = [](const char* problem, std::string found) {
    throw Error{ErrorCode::invalid_argument, {.problem = problem, .found = std::move(found)}};
  };
  if (options.metric.empty()) refuse("early stopping needs the name of a metric", {});
  if (options.patience < 1) {
    refuse("the patience of early stopping must be at least 1", std::to_string(options.patience));
  }
  if (!std::isfinite(options.min_change) || options.min_change < 0) {
    refuse("min_change of early stopping must be 0 or more", std::to_string(options.min_change));
  }
  return options;
}

Variable<double> state_in(const Checkpoint& checkpoint) {
  const Shape shape{2};
  const auto root = graph::require_root(*graph::state_of(checkpoint));
  if (const auto existing = graph::as_variable(root->child(kName))) {
    if (existing->dtype == DType::f64 && existing->shape == shape) {
      return Variable<double>{graph::Access::variable(existing)};
    }
  }
  return Variable<double>{graph::Access::variable(
      graph::create_variable(*root, kName, DType::f64, shape, [](const std::shared_ptr<graph::VariableNode>& node) {
        Variable<double>{graph::Access::variable(node)}.mutable_values()[0] = std::numeric_limits<double>::quiet_NaN();
      }))};
}

}  // namespace

EarlyStop::EarlyStop(Checkpoint& checkpoint, const EarlyStopping& options)
    : options_{checked(options)}, state_{state_in(checkpoint)} {}

bool EarlyStop::improves(double value) {
  const double best = state_.values()[0];
  const double gain = options_.better == Better::lower ? best - value : value - best;
  const bool better = !std::isnan(value) && (std::isnan(best) || gain > options_.min_change);
  const auto state = writable();
  before_ = {state[0], state[1]};
  if (better) state[0] = value;
  state[1] = better ? 0 : state[1] + 1;
  return better;
}

void EarlyStop::undo() { std::ranges::copy(before_, writable().begin()); }

// Also in a program that restores everything as read-only views.
std::span<double> EarlyStop::writable() {
  graph::own_memory(*graph::Access::node(state_));
  return state_.mutable_values();
}

}  // namespace ckpt::manager
