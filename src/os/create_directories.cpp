// Directories that are made, and stay after a power cut.
#include "base/log.hpp"
#include "os/directory.hpp"
#include "os/system_error.hpp"

#include <ckpt/error.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
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

// The last directories of which this process has made all entries above durable. Takes no memory, and needs none when
// the process ends: one who saves in a destructor of a static object still asks. Waits for nobody: a process that was
// forked while another thread was here would wait for ever, and only syncs once more.
class DurableDirectories {
 public:
  bool has(const std::string& absolute, FileId id) {
    const std::unique_lock lock{mutex_, std::try_to_lock};
    return lock.owns_lock() && std::ranges::find(known_, Known{std::hash<std::string>{}(absolute), id}) != known_.end();
  }

  void add(const std::string& absolute, FileId id) {
    const std::unique_lock lock{mutex_, std::try_to_lock};
    if (lock.owns_lock()) known_[next_++ % known_.size()] = {std::hash<std::string>{}(absolute), id};
  }

 private:
  struct Known {
    std::size_t path = 0;
    FileId id;

    friend bool operator==(const Known&, const Known&) = default;
  };
  std::mutex mutex_;
  std::array<Known, 64> known_{};
  std::size_t next_ = 0;
};

constinit DurableDirectories durable_directories;

}  // namespace

Directory Directory::create_all(const std::filesystem::path& path) {
  const std::size_t made = make_missing(path);
  Directory directory = open(path);
  const FileId id = directory.id();
  const std::string absolute = absolute_path(path);
  if (made > 0 || !durable_directories.has(absolute, id)) {
    directory.make_entries_durable(made);
    durable_directories.add(absolute, id);
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
