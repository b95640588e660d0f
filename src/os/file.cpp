#include "os/file.hpp"

#include "os/system_error.hpp"

#include <ckpt/error.hpp>

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace ckpt::os {
namespace {

// Numbers of file systems, as statfs(2) lists them; linux/magic.h has only some.
constexpr std::uint32_t kCifs = 0xff534d42;
constexpr std::uint32_t kSmb2 = 0xfe534d42;
constexpr std::uint32_t kCeph = 0x00c36400;
constexpr std::uint32_t kLustre = 0x0bd00bd0;
constexpr std::uint32_t kGpfs = 0x47504653;
constexpr std::uint32_t kV9fs = 0x01021997;
constexpr std::uint32_t kNfs = 0x6969;
constexpr std::uint32_t kFuse = 0x65735546;

[[noreturn]] void refuse_missing(const std::filesystem::path& path) {
  struct stat link{};
  const bool dangles = ::fstatat(AT_FDCWD, path.c_str(), &link, AT_SYMLINK_NOFOLLOW) == 0;
  throw Error{ErrorCode::not_found,
              {.problem = dangles ? "a symbolic link whose target is missing" : "no such file",
               .file = path,
               .advice = dangles ? "check where it leads (readlink -f)" : "check the path",
               .system_error = ENOENT}};
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

int Descriptor::release() noexcept { return std::exchange(fd_, -1); }

void Descriptor::reset() noexcept {
  // EINTR is not retried: on Linux the descriptor is gone all the same, and its number may already belong to another
  // thread.
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Descriptor apart_from_streams(int fd) noexcept {
  if (fd < 0 || fd > STDERR_FILENO) return Descriptor{fd};
  const int apart = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int error = errno;
  ::close(fd);
  errno = error;
  return Descriptor{apart};
}

File File::open(const std::filesystem::path& path) {
  // O_NONBLOCK: a pipe of that name must not stop the process.
  Descriptor descriptor = apart_from_streams(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!descriptor.is_open()) {
    if (errno == ENOENT) refuse_missing(path);
    throw_system_error(errno, "cannot open", path);
  }
  struct stat status{};
  if (::fstat(descriptor.get(), &status) != 0) throw_system_error(errno, "cannot stat", path);
  if (S_ISDIR(status.st_mode)) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "this is a directory, not a file", .file = path, .advice = "name a file in it"}};
  }
  if (!S_ISREG(status.st_mode)) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "not a regular file",
                 .file = path,
                 .advice = "a pipe, socket or device is in its place: remove that, or name another file"}};
  }
  return File{std::move(descriptor), path, static_cast<std::uint64_t>(status.st_size)};
}

std::uint64_t File::size_now() const {
  struct stat status{};
  if (::fstat(fd(), &status) != 0) throw_system_error(errno, "cannot stat", path_);
  return static_cast<std::uint64_t>(status.st_size);
}

void File::read_at(std::uint64_t offset, std::span<std::byte> destination) const {
  while (!destination.empty()) {
    const std::size_t wanted = std::min(destination.size(), kMostPerCall);
    const ssize_t got = ::pread(fd(), destination.data(), wanted, static_cast<off_t>(offset));
    if (got < 0) {
      if (errno == EINTR) continue;
      throw_system_error(errno, "cannot read", path_, offset);
    }
    if (got == 0) {
      throw Error{ErrorCode::corrupt,
                  {.problem = "the file ends early",
                   .file = path_,
                   .offset = offset,
                   .expected = std::to_string(destination.size()) + " more bytes",
                   .found = "its end",
                   .advice = "it was truncated after it was opened: use another copy"}};
    }
    destination = destination.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
}

bool File::is_remote() const noexcept {
  struct statfs status{};
  if (::fstatfs(fd(), &status) != 0) return false;
  switch (static_cast<std::uint32_t>(status.f_type)) {
    case kNfs:
    case kFuse:
    case kCifs:
    case kSmb2:
    case kCeph:
    case kLustre:
    case kGpfs:
    case kV9fs:
      return true;
    default:
      return false;
  }
}

std::optional<std::string> read_small_file(const std::filesystem::path& path, std::size_t max_bytes) {
  try {
    const File file = File::open(path);
    if (file.size() > max_bytes) {
      throw Error{ErrorCode::limit,
                  {.problem = "the file is too long",
                   .file = path,
                   .expected = "at most " + std::to_string(max_bytes) + " bytes",
                   .found = std::to_string(file.size())}};
    }
    std::string text(static_cast<std::size_t>(file.size()), '\0');
    file.read_at(0, std::as_writable_bytes(std::span{text}));
    return text;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::not_found) return std::nullopt;
    throw;
  }
}

void fill_random(std::span<std::byte> destination) {
  while (!destination.empty()) {
    const ssize_t got = ::getrandom(destination.data(), destination.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    // No system gives nothing; better an error than a loop without end.
    if (got <= 0) throw_system_error(got < 0 ? errno : EIO, "cannot get random bytes", {});
    destination = destination.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace ckpt::os
