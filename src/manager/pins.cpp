// Pins: a small file beside each pinned checkpoint.
#include "base/text.hpp"
#include "manager/file_names.hpp"
#include "manager/impl.hpp"
#include "os/replacement_file.hpp"

#include <ckpt/error.hpp>

#include <span>
#include <string_view>

namespace ckpt {

void CheckpointManager::Impl::pin(const std::string& file) {
  directory_.require_at_path();
  Lock lock = locked();
  settle();
  if (is_in_flight(file)) {
    lock.unlock();
    drain();
    lock.lock();
  }
  deletions_.cancel(file);
  reclaim();
  if (!directory_.exists(file)) {
    throw Error{ErrorCode::not_found,
                {.problem = "there is no such checkpoint to pin",
                 .file = directory_.path() / file,
                 .advice = "checkpoints() lists those that there are"}};
  }
  constexpr std::string_view kText = "The checkpoint of this name is kept as long as this file exists.\n";
  os::write_file_atomically(directory_.path() / manager::pin_file(file), std::as_bytes(std::span{kText}), true);
}

void CheckpointManager::Impl::unpin(const std::string& file) {
  directory_.require_at_path();
  const Lock lock = locked();
  if (directory_.remove(manager::pin_file(file))) directory_.sync();
}

std::string CheckpointManager::Impl::file_of(std::int64_t number) const {
  if (number >= 0) return manager::checkpoint_file(options_.name, number);
  throw Error{ErrorCode::invalid_argument,
              {.problem = "the number of a checkpoint cannot be negative", .found = std::to_string(number)}};
}

// As checkpoints() gives it, absolute, or a name alone.
std::string CheckpointManager::Impl::file_of(const std::filesystem::path& path) const {
  const std::string file = path.filename();
  const bool here = !path.has_parent_path() || path.parent_path() == shown_ || directory_.is_at(path.parent_path());
  if (here && manager::number_of(options_.name, file)) return file;
  throw Error{ErrorCode::invalid_argument,
              {.problem = "this is no checkpoint of this manager",
               .file = path,
               .expected = manager::checkpoint_file(options_.name, 1) + ", or another number, in " +
                           base::escape_path(directory_.path())}};
}

}  // namespace ckpt
