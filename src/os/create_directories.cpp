// Directories that are made, and stay after a power cut.
#include "base/log.hpp"
#include "os/directory.hpp"
#include "os/system_error.hpp"

#include <ckpt/error.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace ckpt::os {
namespace {

// How many directories it made.
std::size_t make_missing(const std::filesystem::path& path) {
  std::size_t made = 0;
  int failed = ::mkdir(path.c_str(), 0777);
  if (failed != 0 && errno == ENOENT && path != parent_of(path)) {
    made = make_missing(parent_of(path));
    failed = ::mkdir(path.c_str(), 0777);
  }
  if (failed != 0 && errno != EEXIST) throw_system_error(errno, "cannot create the directory", path);
  return failed == 0 ? made + 1 : made;
}

// Directories of which this process has made all entries above durable.
class DurableDirectories {
 public:
  // Never destroyed: one who saves in a destructor of a static object still asks.
  static DurableDirectories& instance() {
    static auto& all = *new DurableDirectories;
    return all;
  }

  bool has(const std::string& absolute, FileId id) {
    const std::scoped_lock lock{mutex_};
    const auto found = ids_.find(absolute);
    return found != ids_.end() && found->second == id;
  }

  void add(const std::string& absolute, FileId id) {
    constexpr std::size_t kMost = 1000;  // of a program that saves into ever new ones
    const std::scoped_lock lock{mutex_};
    if (ids_.size() >= kMost) ids_.clear();
    ids_.insert_or_assign(absolute, id);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, FileId> ids_;
};

}  // namespace

Directory Directory::create_all(const std::filesystem::path& path) {
  const std::size_t made = make_missing(path);
  Directory directory = open(path);
  const FileId id = directory.id();
  const std::string absolute = absolute_path(path);
  if (made > 0 || !DurableDirectories::instance().has(absolute, id)) {
    directory.make_entries_durable(made);
    DurableDirectories::instance().add(absolute, id);
  }
  return directory;
}

void Directory::make_entries_durable(std::size_t made) const {
  const std::uint64_t device = id().device;
  std::filesystem::path above = parent_of(absolute_path(path_));
  for (std::filesystem::path last; above != last; last = std::exchange(above, parent_of(above))) {
    std::optional<Directory> parent;
    try {
      parent = open(above);
    } catch (const Error& error) {
      // One that this process may not open was not made by this library.
      if (made > 0 || error.details().system_error != EACCES) throw;
      return base::log(LogLevel::info, error.what());
    }
    if (parent->id().device != device) return;  // a mounted file system begins here
    parent->sync();
    made -= std::min<std::size_t>(made, 1);
  }
}

}  // namespace ckpt::os
