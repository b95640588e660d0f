#include "door.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <mutex>
#include <set>
#include <span>
#include <system_error>
#include <utility>

namespace ckpt::test::door {
namespace {

struct Armed {
  Fault fault;
  std::uint64_t seen = 0;
  std::uint64_t fired = 0;
  Call kind = Call::open;  // of the first call that was struck
};

std::atomic<bool> active{false};
std::atomic<std::int64_t> mappings{0};
std::atomic<std::uint64_t> strays{0};
std::atomic<std::uint32_t> file_system{0};
std::atomic<bool> nothing_cached{false};
std::atomic<std::int64_t> born{0};

// For what follows. Held during a call, so that the order of events is that of the calls.
std::mutex mutex;
bool recording = false;
std::uint64_t count = 0;
std::vector<Armed> armed;
std::vector<Event> recorded;
std::vector<Event> hit;
std::set<void*> sites;

bool is_transfer(Call call) {
  return call == Call::read || call == Call::pread || call == Call::pwrite || call == Call::getrandom;
}

bool is_change_of_names(Call call) {
  return call == Call::renameat || call == Call::renameat2 || call == Call::linkat || call == Call::unlinkat ||
         call == Call::mkdir;
}

bool ends_something(Call call) { return call == Call::close || call == Call::closedir || call == Call::munmap; }

template <typename Real>
[[noreturn]] void end_process(Effect effect, std::size_t size, Real&& real) {
  if (effect == Effect::kill_half) real(size / 2);
  if (effect == Effect::kill_after) real(size);
  ::raise(SIGKILL);
  std::abort();
}

// The fault that strikes this call, or nothing.
const Fault* strike(Call call) {
  for (std::size_t i = 0; i < armed.size(); ++i) {
    Armed& one = armed[i];
    if (i > 0 && armed[i - 1].fired == 0) return nullptr;
    if (!can_strike(one.fault.effect, call)) continue;
    if (one.fired == 0 && one.fault.kind.value_or(call) != call) continue;
    ++one.seen;
    const bool later = one.fired > 0 && (one.fault.scope == Scope::all || one.kind == call);
    if (one.fired >= one.fault.times || !(later || (one.fired == 0 && one.seen == one.fault.nth))) continue;
    if (one.fired == 0) one.kind = call;
    ++one.fired;
    return &one.fault;
  }
  return nullptr;
}

std::size_t shortened(Effect effect, std::size_t size) {
  if (effect == Effect::none) return 0;
  return effect == Effect::one ? std::min<std::size_t>(size, 1) : size - size / 2;
}

// Makes the call, unless a fault is in its way. `real` is given how many bytes to move. The result of a call that fails
// is -1, or a null pointer.
template <typename Real>
std::int64_t pass(Event event, void* site, Real&& real) {
  if (!active) return real(static_cast<std::size_t>(event.size));
  const std::scoped_lock lock{mutex};
  if (!active) return real(static_cast<std::size_t>(event.size));
  ++count;
  const Fault* fault = strike(event.call);
  event.struck = fault != nullptr;
  if (event.struck && fault->effect >= Effect::kill) {
    end_process(fault->effect, static_cast<std::size_t>(event.size), real);
  }
  errno = 0;
  if (fault == nullptr) {
    event.result = event.call == Call::fsync ? 0 : real(static_cast<std::size_t>(event.size));
    event.error = errno;
  } else if (fault->effect == Effect::fail || fault->effect == Effect::fail_after) {
    if (fault->effect == Effect::fail_after || ends_something(event.call)) real(static_cast<std::size_t>(event.size));
    event.result = event.call == Call::fdopendir || event.call == Call::readdir ? 0 : -1;
    event.error = fault->error;
  } else {
    const std::size_t size = shortened(fault->effect, static_cast<std::size_t>(event.size));
    event.result = size == 0 ? 0 : real(size);
    event.error = errno;
  }
  const std::int64_t result = event.result;
  const int error = event.error;
  if (event.struck) {
    sites.insert(site);
    hit.push_back(event);
  }
  if (recording) recorded.push_back(std::move(event));
  errno = error;
  return result;
}

Bytes copy_for_record(const void* data, std::size_t size) {
  if (!active || !recording) return {};
  const auto bytes = std::span{static_cast<const std::byte*>(data), size};
  return {bytes.begin(), bytes.end()};
}

std::string text(const char* name) { return active ? std::string{name} : std::string{}; }

}  // namespace

std::string_view to_string(Call call) {
  constexpr std::string_view kNames[] = {
#define CKPT_DOOR_TEXT(name) #name,
      CKPT_DOOR_CALLS(CKPT_DOOR_TEXT)
#undef CKPT_DOOR_TEXT
  };
  return kNames[static_cast<std::size_t>(call)];
}

bool can_strike(Effect effect, Call call) {
  switch (effect) {
    case Effect::fail:
      return call != Call::getpid;
    case Effect::fail_after:
      return is_change_of_names(call);
    case Effect::kill:
    case Effect::kill_after:
      return true;
    default:
      return is_transfer(call);
  }
}

Guard::Guard(std::vector<Fault> faults, bool record) {
  const std::scoped_lock lock{mutex};
  recording = record;
  count = 0;
  armed.clear();
  recorded.clear();
  hit.clear();
  for (const Fault& fault : faults) armed.push_back({fault});
  active = true;
}

Guard::~Guard() { active = false; }

std::vector<Event> events() {
  const std::scoped_lock lock{mutex};
  return recorded;
}
std::vector<Event> struck() {
  const std::scoped_lock lock{mutex};
  return hit;
}
std::uint64_t calls() {
  const std::scoped_lock lock{mutex};
  return count;
}
std::uint64_t fired(std::size_t fault) {
  const std::scoped_lock lock{mutex};
  return armed.at(fault).fired;
}
void mark(std::string text) {
  const std::scoped_lock lock{mutex};
  recorded.push_back({.call = Call::getpid, .name = std::move(text)});
}
std::int64_t live_mappings() { return mappings; }
void pretend_file_system(std::uint32_t type) { file_system = type; }
void pretend_nothing_cached(bool pretend) { nothing_cached = pretend; }
void pretend_birth(std::int64_t second) { born = second; }
std::uint64_t stray_closes() { return strays; }
std::size_t struck_sites() {
  const std::scoped_lock lock{mutex};
  return sites.size();
}

}  // namespace ckpt::test::door

using namespace ckpt::test::door;

#define SITE __builtin_return_address(0)

// The names are the linker's: a call of `f` reaches __wrap_f, and __real_f is the function itself.
// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl50-cpp,readability-identifier-naming)
extern "C" {

int __real_open64(const char*, int, ...);
int __wrap_open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return static_cast<int>(pass({.call = Call::open, .flags = flags, .name = text(path)}, SITE,
                               [&](std::size_t) { return __real_open64(path, flags, mode); }));
}

int __real_openat64(int, const char*, int, ...);
int __wrap_openat64(int fd, const char* name, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return static_cast<int>(pass({.call = Call::openat, .fd = fd, .flags = flags, .name = text(name)}, SITE,
                               [&](std::size_t) { return __real_openat64(fd, name, flags, mode); }));
}

int __real_close(int);
int __wrap_close(int fd) {
  return static_cast<int>(pass({.call = Call::close, .fd = fd}, SITE, [&](std::size_t) {
    const int done = __real_close(fd);
    if (done != 0 && errno == EBADF) ++strays;
    return done;
  }));
}

int __real_fcntl64(int, int, ...);
int __wrap_fcntl64(int fd, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void* argument = va_arg(rest, void*);
  va_end(rest);
  return static_cast<int>(pass({.call = Call::fcntl, .fd = fd, .flags = command}, SITE,
                               [&](std::size_t) { return __real_fcntl64(fd, command, argument); }));
}

int __real_stat64(const char*, struct stat*);
int __wrap_stat64(const char* path, struct stat* status) {
  return static_cast<int>(
      pass({.call = Call::stat, .name = text(path)}, SITE, [&](std::size_t) { return __real_stat64(path, status); }));
}

int __real_fstat64(int, struct stat*);
int __wrap_fstat64(int fd, struct stat* status) {
  return static_cast<int>(
      pass({.call = Call::fstat, .fd = fd}, SITE, [&](std::size_t) { return __real_fstat64(fd, status); }));
}

int __real_fstatat64(int, const char*, struct stat*, int);
int __wrap_fstatat64(int fd, const char* name, struct stat* status, int flags) {
  return static_cast<int>(pass({.call = Call::fstatat, .fd = fd, .flags = flags, .name = text(name)}, SITE,
                               [&](std::size_t) { return __real_fstatat64(fd, name, status, flags); }));
}

int __real_statx(int, const char*, int, unsigned, struct statx*);
int __wrap_statx(int fd, const char* name, int flags, unsigned mask, struct statx* status) {
  return static_cast<int>(
      pass({.call = Call::statx, .fd = fd, .flags = flags, .name = text(name)}, SITE, [&](std::size_t) {
        const int done = __real_statx(fd, name, flags, mask, status);
        if (const std::int64_t birth = born) {
          status->stx_ino = 1;
          status->stx_btime.tv_sec = birth;
          status->stx_btime.tv_nsec = 0;
        }
        return done;
      }));
}

int __real_fstatfs64(int, struct statfs*);
int __wrap_fstatfs64(int fd, struct statfs* status) {
  return static_cast<int>(pass({.call = Call::fstatfs, .fd = fd}, SITE, [&](std::size_t) {
    const int done = __real_fstatfs64(fd, status);
    if (const std::uint32_t type = file_system) status->f_type = type;
    return done;
  }));
}

ssize_t __real_read(int, void*, size_t);
ssize_t __wrap_read(int fd, void* data, size_t size) {
  return pass({.call = Call::read, .fd = fd, .size = size}, SITE,
              [&](std::size_t part) { return __real_read(fd, data, part); });
}

ssize_t __real_pread64(int, void*, size_t, off_t);
ssize_t __wrap_pread64(int fd, void* data, size_t size, off_t offset) {
  return pass({.call = Call::pread, .fd = fd, .offset = static_cast<std::uint64_t>(offset), .size = size}, SITE,
              [&](std::size_t part) { return __real_pread64(fd, data, part, offset); });
}

ssize_t __real_pwrite64(int, const void*, size_t, off_t);
ssize_t __wrap_pwrite64(int fd, const void* data, size_t size, off_t offset) {
  return pass({.call = Call::pwrite,
               .fd = fd,
               .offset = static_cast<std::uint64_t>(offset),
               .size = size,
               .data = copy_for_record(data, size)},
              SITE, [&](std::size_t part) { return __real_pwrite64(fd, data, part, offset); });
}

int __real_fsync(int);
int __wrap_fsync(int fd) {
  return static_cast<int>(pass({.call = Call::fsync, .fd = fd}, SITE, [&](std::size_t) { return __real_fsync(fd); }));
}

int __real_fallocate64(int, int, off_t, off_t);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t size) {
  return static_cast<int>(pass({.call = Call::fallocate,
                                .fd = fd,
                                .flags = mode,
                                .offset = static_cast<std::uint64_t>(offset),
                                .size = static_cast<std::uint64_t>(size)},
                               SITE, [&](std::size_t) { return __real_fallocate64(fd, mode, offset, size); }));
}

int __real_ftruncate64(int, off_t);
int __wrap_ftruncate64(int fd, off_t size) {
  return static_cast<int>(pass({.call = Call::ftruncate, .fd = fd, .size = static_cast<std::uint64_t>(size)}, SITE,
                               [&](std::size_t) { return __real_ftruncate64(fd, size); }));
}

int __real_sync_file_range(int, off64_t, off64_t, unsigned);
int __wrap_sync_file_range(int fd, off64_t offset, off64_t size, unsigned flags) {
  return static_cast<int>(pass({.call = Call::sync_file_range, .fd = fd}, SITE,
                               [&](std::size_t) { return __real_sync_file_range(fd, offset, size, flags); }));
}

void* __real_mmap64(void*, size_t, int, int, int, off_t);
void* __wrap_mmap64(void* where, size_t size, int protection, int flags, int fd, off_t offset) {
  void* const result =
      reinterpret_cast<void*>(pass({.call = Call::mmap, .fd = fd, .flags = flags}, SITE, [&](std::size_t) {
        return reinterpret_cast<std::int64_t>(__real_mmap64(where, size, protection, flags, fd, offset));
      }));
  if (result != MAP_FAILED) ++mappings;
  return result;
}

int __real_munmap(void*, size_t);
int __wrap_munmap(void* where, size_t size) {
  --mappings;
  return static_cast<int>(pass({.call = Call::munmap}, SITE, [&](std::size_t) { return __real_munmap(where, size); }));
}

int __real_madvise(void*, size_t, int);
int __wrap_madvise(void* where, size_t size, int advice) {
  return static_cast<int>(pass({.call = Call::madvise, .flags = advice}, SITE,
                               [&](std::size_t) { return __real_madvise(where, size, advice); }));
}

int __real_mincore(void*, size_t, unsigned char*);
int __wrap_mincore(void* where, size_t size, unsigned char* pages) {
  return static_cast<int>(pass({.call = Call::mincore}, SITE, [&](std::size_t) {
    const int done = __real_mincore(where, size, pages);
    if (nothing_cached) *pages = 0;  // the library asks for one page at a time
    return done;
  }));
}

int __real_mkdir(const char*, mode_t);
int __wrap_mkdir(const char* path, mode_t mode) {
  return static_cast<int>(
      pass({.call = Call::mkdir, .name = text(path)}, SITE, [&](std::size_t) { return __real_mkdir(path, mode); }));
}

int __real_unlinkat(int, const char*, int);
int __wrap_unlinkat(int fd, const char* name, int flags) {
  return static_cast<int>(pass({.call = Call::unlinkat, .fd = fd, .flags = flags, .name = text(name)}, SITE,
                               [&](std::size_t) { return __real_unlinkat(fd, name, flags); }));
}

int __real_renameat(int, const char*, int, const char*);
int __wrap_renameat(int fd, const char* from, int to_fd, const char* to) {
  return static_cast<int>(pass({.call = Call::renameat, .fd = fd, .name = text(from), .to = text(to)}, SITE,
                               [&](std::size_t) { return __real_renameat(fd, from, to_fd, to); }));
}

int __real_renameat2(int, const char*, int, const char*, unsigned);
int __wrap_renameat2(int fd, const char* from, int to_fd, const char* to, unsigned flags) {
  return static_cast<int>(pass({.call = Call::renameat2, .fd = fd, .name = text(from), .to = text(to)}, SITE,
                               [&](std::size_t) { return __real_renameat2(fd, from, to_fd, to, flags); }));
}

int __real_linkat(int, const char*, int, const char*, int);
int __wrap_linkat(int fd, const char* from, int to_fd, const char* to, int flags) {
  return static_cast<int>(pass({.call = Call::linkat, .fd = fd, .name = text(from), .to = text(to)}, SITE,
                               [&](std::size_t) { return __real_linkat(fd, from, to_fd, to, flags); }));
}

DIR* __real_fdopendir(int);
DIR* __wrap_fdopendir(int fd) {
  return reinterpret_cast<DIR*>(pass({.call = Call::fdopendir, .fd = fd}, SITE, [&](std::size_t) {
    return reinterpret_cast<std::int64_t>(__real_fdopendir(fd));
  }));
}

struct dirent* __real_readdir64(DIR*);
struct dirent* __wrap_readdir64(DIR* stream) {
  return reinterpret_cast<struct dirent*>(pass({.call = Call::readdir}, SITE, [&](std::size_t) {
    return reinterpret_cast<std::int64_t>(__real_readdir64(stream));
  }));
}

int __real_closedir(DIR*);
int __wrap_closedir(DIR* stream) {
  return static_cast<int>(pass({.call = Call::closedir}, SITE, [&](std::size_t) { return __real_closedir(stream); }));
}

ssize_t __real_getrandom(void*, size_t, unsigned);
ssize_t __wrap_getrandom(void* data, size_t size, unsigned flags) {
  return pass({.call = Call::getrandom, .size = size}, SITE,
              [&](std::size_t part) { return __real_getrandom(data, part, flags); });
}

int __real_getrlimit64(int, struct rlimit*);
int __wrap_getrlimit64(int resource, struct rlimit* limit) {
  return static_cast<int>(
      pass({.call = Call::getrlimit}, SITE, [&](std::size_t) { return __real_getrlimit64(resource, limit); }));
}

int __real_sched_getscheduler(pid_t);
int __wrap_sched_getscheduler(pid_t thread) {
  return static_cast<int>(
      pass({.call = Call::sched_getscheduler}, SITE, [&](std::size_t) { return __real_sched_getscheduler(thread); }));
}

int __real_sched_setscheduler(pid_t, int, const struct sched_param*);
int __wrap_sched_setscheduler(pid_t thread, int policy, const struct sched_param* parameters) {
  return static_cast<int>(pass({.call = Call::sched_setscheduler}, SITE,
                               [&](std::size_t) { return __real_sched_setscheduler(thread, policy, parameters); }));
}

pid_t __real_getpid();
pid_t __wrap_getpid() {
  return static_cast<pid_t>(pass({.call = Call::getpid}, SITE, [&](std::size_t) { return __real_getpid(); }));
}

int __real_poll(struct pollfd*, nfds_t, int);
int __wrap_poll(struct pollfd* ends, nfds_t number, int timeout) {
  return static_cast<int>(
      pass({.call = Call::poll}, SITE, [&](std::size_t) { return __real_poll(ends, number, timeout); }));
}

int __real_inotify_init1(int);
int __wrap_inotify_init1(int flags) {
  return static_cast<int>(
      pass({.call = Call::inotify_init1}, SITE, [&](std::size_t) { return __real_inotify_init1(flags); }));
}

int __real_inotify_add_watch(int, const char*, std::uint32_t);
int __wrap_inotify_add_watch(int fd, const char* path, std::uint32_t mask) {
  return static_cast<int>(pass({.call = Call::inotify_add_watch, .fd = fd}, SITE,
                               [&](std::size_t) { return __real_inotify_add_watch(fd, path, mask); }));
}

// A handler must not wait for the door: these go straight through.
int __real_sigaction(int, const struct sigaction*, struct sigaction*);
int __wrap_sigaction(int signal, const struct sigaction* action, struct sigaction* before) {
  return __real_sigaction(signal, action, before);
}

int __real_raise(int);
int __wrap_raise(int signal) { return __real_raise(signal); }

// std::thread's way to a new thread, in the library too.
void __real__ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE(void*, void*, void*);
void __wrap__ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE(void* thread,
                                                                                                  void* state,
                                                                                                  void* depends) {
  const auto result = pass({.call = Call::start_thread}, SITE, [&](std::size_t) {
    __real__ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE(thread, state,
                                                                                                 depends);
    return 0;
  });
  if (result != 0) throw std::system_error{errno, std::system_category(), "no more threads"};
}

// Atomics of the standard library wait with it. Anything else would go past the door.
long __real_syscall(long, ...);
long __wrap_syscall(long number, ...) {
  if (number != SYS_futex) std::abort();
  va_list rest;
  va_start(rest, number);
  long argument[6];
  for (long& one : argument) one = va_arg(rest, long);
  va_end(rest);
  return __real_syscall(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl50-cpp,readability-identifier-naming)
