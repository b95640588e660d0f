#include "graph/access.hpp"
#include "graph/save.hpp"
#include "graph/walk.hpp"

#include <ckpt/error.hpp>
#include <ckpt/weights.hpp>

namespace ckpt {

std::filesystem::path save_weights(Trackable& object, const std::filesystem::path& path, const SaveOptions& options) {
  return Checkpoint{object}.write(path, options);
}

RestoreStatus load_weights(Trackable& object, const std::filesystem::path& path, const RestoreOptions& options) {
  const Checkpoint checkpoint{object};
  graph::CheckpointState& state = *graph::Access::state(checkpoint);
  const Reader reader = graph::open_for(path, options);
  const RestorePlan plan = graph::plan_restore(state, reader, options);
  if (!plan.missing.empty()) {
    throw Error{ErrorCode::mismatch,
                {.problem = "the file has no values for variables of the object (" +
                            std::to_string(plan.missing.size()) + "): " + graph::list_paths(plan.missing),
                 .file = path,
                 .object = plan.missing.front(),
                 .advice = "name the object's place in the file (RestoreOptions::root) or other names in it "
                           "(RestoreOptions::renames)"}};
  }
  return graph::restore_objects(state, reader, options);
}

}  // namespace ckpt
