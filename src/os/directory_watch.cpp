#include "os/directory_watch.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace ckpt::os {
namespace {

constexpr std::uint32_t kGone = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED;

}  // namespace

DirectoryWatch::DirectoryWatch(const std::filesystem::path& path) noexcept
    : events_{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)} {
  if (!events_.is_open()) return;
  const std::uint32_t wanted = IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
  if (::inotify_add_watch(events_.get(), path.c_str(), wanted) < 0) events_.reset();
}

void DirectoryWatch::wait(std::chrono::milliseconds most) noexcept {
  struct pollfd events{};
  events.fd = events_.get();  // -1 is passed over: poll then sleeps
  events.events = POLLIN;
  const auto longest = static_cast<std::int64_t>(std::numeric_limits<int>::max());
  const int timeout = static_cast<int>(std::clamp<std::int64_t>(most.count(), 0, longest));
  if (::poll(&events, 1, timeout) > 0) read_events();
}

void DirectoryWatch::read_events() noexcept {
  alignas(inotify_event) char buffer[4096];
  while (events_.is_open()) {
    const ssize_t got = ::read(events_.get(), buffer, sizeof buffer);
    if (got <= 0) {
      if (got < 0 && errno == EINTR) continue;
      if (got == 0 || errno != EAGAIN) events_.reset();
      return;
    }
    bool gone = false;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(got);) {
      inotify_event event{};
      std::memcpy(&event, buffer + at, sizeof event);
      gone = gone || (event.mask & kGone) != 0;
      at += sizeof event + event.len;
    }
    if (gone) events_.reset();
  }
}

}  // namespace ckpt::os
