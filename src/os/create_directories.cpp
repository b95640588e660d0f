// Directories that are made, and stay after a power cut.
#include "base/log.hpp"
#include "os/directory.hpp"
#include "os/system_error.hpp"

#include <ckpt/error.hpp>

#include <fcntl.h>
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

// Which directory it is, at which path. The number of one that was removed may soon be that of a new one: the time of
// birth tells them apart, where the file system keeps it.
struct Known {
  std::size_t path = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t born = 0;  // in nanoseconds

  friend bool operator==(const Known&, const Known&) = default;
};

// Nothing when the system does not tell.
std::optional<Known> identify(const Directory& directory) {
  constexpr std::uint64_t kNanoseconds = 1'000'000'000;
  struct statx status{};
  if (::statx(directory.fd(), "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &status) != 0) return std::nullopt;
  return Known{.path = std::hash<std::string>{}(absolute_path(directory.path())),
               .device = (std::uint64_t{status.stx_dev_major} << 32U) | status.stx_dev_minor,
               .inode = status.stx_ino,
               .born = static_cast<std::uint64_t>(status.stx_btime.tv_sec) * kNanoseconds + status.stx_btime.tv_nsec};
}

// The last directories of which this process has made all entries above durable. Takes no memory, and needs none when
// the process ends: one who saves in a destructor of a static object still asks. Waits for nobody: a process that was
// forked while another thread was here would wait for ever, and only syncs once more.
class DurableDirectories {
 public:
  bool has(const Known& directory) {
    const std::unique_lock lock{mutex_, std::try_to_lock};
    return lock.owns_lock() && std::ranges::find(known_, directory) != known_.end();
  }

  void add(const Known& directory) {
    const std::unique_lock lock{mutex_, std::try_to_lock};
    if (lock.owns_lock()) known_[next_++ % known_.size()] = directory;
  }

 private:
  std::mutex mutex_;
  std::array<Known, 64> known_{};
  std::size_t next_ = 0;
};

constinit DurableDirectories durable_directories;

}  // namespace

Directory Directory::create_all(const std::filesystem::path& path) {
  const std::size_t made = make_missing(path);
  Directory directory = open(path);
  const std::optional<Known> known = identify(directory);
  if (made == 0 && known && durable_directories.has(*known)) return directory;
  directory.make_entries_durable(made);
  if (known) durable_directories.add(*known);
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
