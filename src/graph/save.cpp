#include "graph/save.hpp"

#include "graph/collector.hpp"
#include "graph/objects.hpp"

#include <ckpt/error.hpp>

#include <limits>
#include <utility>

namespace ckpt::graph {

std::shared_ptr<CheckpointState> state_of(const Checkpoint& checkpoint) {
  const auto& state = Access::state(checkpoint);
  if (!state) throw Error{ErrorCode::invalid_argument, {.problem = "the Checkpoint was moved from"}};
  require_root(*state);
  return state;
}

std::shared_ptr<Node> require_root(const CheckpointState& state) {
  if (auto root = state.root.lock()) return root;
  throw Error{ErrorCode::invalid_argument,
              {.problem = "the checkpoint, or the root object it was made for, was destroyed or moved from",
               .advice = "keep the Checkpoint and its objects alive as long as they are saved"}};
}

void save_objects(const CheckpointState& state, const std::filesystem::path& path, const SaveOptions& options,
                  const TryAgain& try_again) {
  write_snapshot(Collector{}.collect(state), path, options, {}, try_again);
}

std::filesystem::path numbered_path(const std::filesystem::path& prefix, std::int64_t number) {
  const std::filesystem::path name = prefix.filename();
  if (name.empty() || name == "." || name == "..") {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "the prefix of a checkpoint names no file",
                 .file = prefix,
                 .advice = "end it with the beginning of a file name: \"-<number>.ckpt\" is added to it"}};
  }
  std::filesystem::path path = prefix;
  path += "-" + std::to_string(number) + ".ckpt";
  return path;
}

Variable<std::int64_t> save_counter(const CheckpointState& state) {
  const auto root = require_root(state);
  if (auto existing = root->child(kSaveCounterName)) {
    if (auto variable = as_variable(existing)) {
      // Every save writes to the counter, also in a program that restored everything as read-only views.
      own_memory(*variable);
      return Variable<std::int64_t>{Access::variable(std::move(variable))};
    }
    throw Error{ErrorCode::already_exists,
                {.problem = "the checkpoint needs this name for its counter, and an object has it",
                 .object = kSaveCounterName,
                 .advice = "track that object under another name, or use Checkpoint::write"}};
  }
  auto variable = create_variable(*root, kSaveCounterName, DType::i64, Shape{}, {});
  own_memory(*variable);
  return Variable<std::int64_t>{Access::variable(std::move(variable))};
}

std::int64_t next_number(const Variable<std::int64_t>& counter) {
  const std::int64_t last = counter.value();
  if (last >= 0 && last < std::numeric_limits<std::int64_t>::max()) return last + 1;
  throw Error{ErrorCode::limit,
              {.problem = "the save counter cannot be incremented",
               .object = kSaveCounterName,
               .found = std::to_string(last),
               .advice = "set Checkpoint::save_counter() to a sound number"}};
}

}  // namespace ckpt::graph
