#include "os/directory.hpp"

#include "base/log.hpp"
#include "base/text.hpp"
#include "os/system_error.hpp"

#include <ckpt/error.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>

namespace ckpt::os {
namespace {

constexpr std::string_view kTemporarySuffix = ".tmp";
constexpr std::size_t kRandomDigits = 16;

struct flock whole_file() noexcept {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

FileId id_in(const struct stat& status) noexcept { return {status.st_dev, status.st_ino}; }

[[noreturn]] void refuse_rename(int error, const std::string& from, const std::filesystem::path& shown) {
  if (error != ENOENT) throw_system_error(error, "cannot rename " + from + " to its final name", shown);
  throw Error{ErrorCode::io,
              {.problem = "the temporary file for it, " + from + ", was removed while it was written",
               .file = shown,
               .advice = "something else cleans or removed this directory: stop it, then save again",
               .system_error = error}};
}

}  // namespace

Directory Directory::open(const std::filesystem::path& path) {
  Descriptor descriptor = apart_from_streams(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor.is_open()) throw_system_error(errno, "cannot open the directory", path);
  return {std::move(descriptor), path};
}

FileId Directory::id() const {
  struct stat status{};
  if (::fstat(fd(), &status) != 0) throw_system_error(errno, "cannot look at the directory", path_);
  return id_in(status);
}

void Directory::require_at_path() const {
  struct stat opened{};
  struct stat named{};
  if (::fstat(fd(), &opened) != 0) throw_system_error(errno, "cannot look at the directory", path_);
  const int error = ::stat(path_.c_str(), &named) != 0 ? errno : 0;
  if (error != 0 && error != ENOENT && error != ENOTDIR)
    throw_system_error(error, "cannot look at the directory", path_);
  if (error == 0 && id_in(opened) == id_in(named)) return;
  throw Error{ErrorCode::not_found,
              {.problem = "the directory was renamed or removed since it was opened",
               .file = path_,
               .advice = "put it back, or start anew with a directory of your choice",
               .system_error = error}};
}

bool Directory::is_at(const std::filesystem::path& path) const noexcept {
  struct stat opened{};
  struct stat named{};
  return ::fstat(fd(), &opened) == 0 && ::stat(path.c_str(), &named) == 0 && id_in(opened) == id_in(named);
}

void Directory::sync() const {
  // EINVAL: a file system that has nothing to make durable here says so.
  if (::fsync(fd()) != 0 && errno != EINVAL) throw_system_error(errno, "cannot sync the directory", path_);
}

std::vector<std::string> Directory::list() const {
  Descriptor again = apart_from_streams(::openat(fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!again.is_open()) throw_system_error(errno, "cannot list the directory", path_);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream{::fdopendir(again.get()), ::closedir};
  if (!stream) throw_system_error(errno, "cannot list the directory", path_);
  again.release();  // the stream closes it
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name{static_cast<const char*>(entry->d_name)};
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) throw_system_error(errno, "cannot list the directory", path_);
  return names;
}

std::optional<Directory::Status> Directory::status(const std::string& name) const {
  struct stat status{};
  if (::fstatat(fd(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return std::nullopt;
    throw_system_error(errno, "cannot look for", path_ / name);
  }
  const bool is_file = S_ISREG(status.st_mode);
  return Status{S_ISDIR(status.st_mode), is_file ? static_cast<std::uint64_t>(status.st_size) : 0};
}

std::optional<FileId> Directory::id_of(const std::string& name) const noexcept {
  struct stat status{};
  if (::fstatat(fd(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return id_in(status);
}

bool Directory::remove(const std::string& name) const {
  if (::unlinkat(fd(), name.c_str(), 0) == 0) return true;
  if (errno != ENOENT) throw_system_error(errno, "cannot remove", path_ / name);
  return false;
}

void Directory::rename(const std::string& from, const std::string& to, const std::filesystem::path& shown) const {
  if (::renameat(fd(), from.c_str(), fd(), to.c_str()) != 0) refuse_rename(errno, from, shown);
}

void Directory::rename_to_new(const std::string& from, const std::string& to,
                              const std::filesystem::path& shown) const {
  if (::renameat2(fd(), from.c_str(), fd(), to.c_str(), RENAME_NOREPLACE) == 0) return;
  // Some file systems cannot do that; a hard link is as exclusive.
  if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) {
    if (::linkat(fd(), from.c_str(), fd(), to.c_str(), 0) == 0) {
      ::unlinkat(fd(), from.c_str(), 0);  // if that fails, a second name is left, which the next cleaning removes
      return;
    }
  }
  const int error = errno;
  if (error == EEXIST) {
    throw Error{ErrorCode::already_exists,
                {.problem = "a file of that name exists",
                 .file = shown,
                 .advice = "choose another name, or allow replacing it (WriterOptions::replace)",
                 .system_error = error}};
  }
  refuse_rename(error, from, shown);
}

DirectoryLock::DirectoryLock(const Directory& directory, const std::string& name) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
  descriptor_ = apart_from_streams(::openat(directory.fd(), name.c_str(), kFlags, 0666));
  if (!descriptor_.is_open()) throw_system_error(errno, "cannot open the lock file", directory.path() / name);
  const LockResult result = try_lock(descriptor_.get());
  if (result == LockResult::no_locks) {
    base::log(LogLevel::warning, "the file system of " + base::escape_path(directory.path()) +
                                     " has no locks: nothing keeps a second writer away");
  }
  if (result == LockResult::taken) {
    throw Error{
        ErrorCode::busy,
        {.problem = "another writer holds this directory",
         .file = directory.path() / name,
         .advice = "end that process or manager first (children that it forked hold the directory too, until they "
                   "end or call exec), or use another directory",
         .system_error = EAGAIN}};
  }
}

LockResult try_lock(int fd) noexcept {
  struct flock lock = whole_file();
  if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return LockResult::held;
  return errno == EAGAIN || errno == EACCES ? LockResult::taken : LockResult::no_locks;
}

LockHolder lock_holder(const Directory& directory, const std::string& name) noexcept {
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  const Descriptor file = apart_from_streams(::openat(directory.fd(), name.c_str(), kFlags));
  struct flock lock = whole_file();
  if (!file.is_open() || ::fcntl(file.get(), F_OFD_GETLK, &lock) != 0) return LockHolder::unknown;
  return lock.l_type == F_UNLCK ? LockHolder::nobody : LockHolder::somebody;
}

std::filesystem::path parent_of(const std::filesystem::path& path) {
  auto parent = path.has_filename() ? path.parent_path() : path.parent_path().parent_path();
  return parent.empty() ? std::filesystem::path{"."} : parent;
}

std::filesystem::path absolute_path(const std::filesystem::path& path) {
  std::error_code failed;
  std::filesystem::path result = std::filesystem::absolute(path, failed);
  return failed ? path : result;
}

std::string temporary_name(std::string_view name) {
  std::array<std::byte, kRandomDigits / 2> random{};
  fill_random(random);
  // Cut, so that what is added does not make it longer than a name may be.
  constexpr std::size_t kMost = 200;
  if (name.size() > kMost) name = name.substr(0, base::size_of_whole_characters(name.substr(0, kMost)));
  std::string text = "." + std::string{name} + ".";
  std::array<char, 3> digits{};
  for (const std::byte byte : random) {
    std::snprintf(digits.data(), digits.size(), "%02x", std::to_integer<unsigned>(byte));
    text += digits.data();
  }
  return text.append(kTemporarySuffix);
}

bool is_temporary_name(std::string_view name) noexcept {
  constexpr std::size_t kTail = 1 + kRandomDigits + kTemporarySuffix.size();
  if (name.size() < kTail + 2 || name.front() != '.' || !name.ends_with(kTemporarySuffix)) return false;
  const std::string_view tail = name.substr(name.size() - kTail);
  return tail.front() == '.' &&
         tail.substr(1, kRandomDigits).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool remove_stale_temporary(const Directory& directory, const std::string& name) {
  constexpr int kFlags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  const Descriptor file = apart_from_streams(::openat(directory.fd(), name.c_str(), kFlags));
  // It is gone meanwhile, not ours, or its writer lives.
  if (!file.is_open() || try_lock(file.get()) != LockResult::held) return false;
  return directory.remove(name);
}

std::vector<std::string> remove_stale_temporaries(const Directory& directory) {
  std::vector<std::string> removed;
  for (const std::string& name : directory.list()) {
    if (!is_temporary_name(name)) continue;
    try {
      if (remove_stale_temporary(directory, name)) removed.push_back(name);
    } catch (const Error& error) {  // a directory may keep what others left in it
      base::log(LogLevel::warning, std::string{"a temporary file of a save that was killed stays: "} + error.what());
    }
  }
  return removed;
}

}  // namespace ckpt::os
