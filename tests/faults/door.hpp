// The door: every system call that src/os makes, counted, recorded, and made to fail or to be the last.
//
// The linker leads the calls of a test program here (`--wrap`, see meson.build), so the library is what everybody else
// links. Without a Guard the door only keeps the number of mappings.
#pragma once

#include <ckpt/metadata.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt::test::door {

// clang-format off
#define CKPT_DOOR_CALLS(X)                                                                                           \
  X(open) X(openat) X(close) X(fcntl) X(stat) X(fstat) X(fstatat) X(statx) X(fstatfs) X(read) X(pread) X(pwrite)       \
  X(fsync) X(fallocate) X(ftruncate) X(sync_file_range) X(mmap) X(munmap) X(madvise) X(mincore) X(mkdir) X(unlinkat) \
  X(renameat) X(renameat2) X(linkat) X(fdopendir) X(readdir) X(closedir) X(getrandom) X(getrlimit) X(getpid) X(poll) \
  X(sched_getscheduler) X(sched_setscheduler) X(inotify_init1) X(inotify_add_watch) X(sigaction) X(start_thread)
// clang-format on

enum class Call : std::uint8_t {
#define CKPT_DOOR_NAME(name) name,
  CKPT_DOOR_CALLS(CKPT_DOOR_NAME)
#undef CKPT_DOOR_NAME
};

std::string_view to_string(Call call);

enum class Effect : std::uint8_t {
  fail,        ///< with `error`; nothing was done, but what ends something (close, closedir, munmap) was
  fail_after,  ///< with `error`, though it was done: a rename over a network whose answer is lost
  none,        ///< a transfer moves nothing
  one,         ///< ... one byte
  half,        ///< ... half of what was asked for
  kill,        ///< the process ends, as by SIGKILL; nothing was done
  kill_half,   ///< ... after half of a transfer
  kill_after,  ///< ... when it was done, before it returns
};

enum class Scope : std::uint8_t {
  kind,  ///< calls of the kind that was struck first
  all,   ///< all that the effect can strike
};

struct Fault {
  Effect effect = Effect::fail;
  int error = 0;
  std::uint64_t nth = 1;    ///< the first call that is struck, among those that may be the first
  std::uint64_t times = 1;  ///< how many are struck
  Scope scope = Scope::kind;
  std::optional<Call> kind = {};  ///< the first is of this kind; of any that the effect can strike if there is none
};
inline constexpr std::uint64_t kForEver = ~std::uint64_t{0};

/// Transfers of too little strike transfers, and so on.
bool can_strike(Effect effect, Call call);

/// A call as it was made and as it ended.
struct Event {
  Call call = Call::open;
  int fd = -1;
  int flags = 0;
  std::string name = {};
  std::string to = {};
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  Bytes data = {};  ///< what pwrite was given
  std::int64_t result = 0;
  int error = 0;
  bool struck = false;
};

/// While it lives, faults strike. One at a time. A second fault counts calls from the moment on when the first one has
/// struck. fsync is not passed on to the disk: a test that loses power loses it in memory.
class Guard {
 public:
  explicit Guard(std::vector<Fault> faults, bool record = false);
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
};

/// About the last Guard, or the present one.
std::vector<Event> events();             ///< of a Guard that records
std::vector<Event> struck();             ///< the calls that were made to fail, in order
std::uint64_t calls();                   ///< how many there were
std::uint64_t fired(std::size_t fault);  ///< how often that fault has struck

/// A mark of the test's own among the events.
void mark(std::string text);

/// What fstatfs says of the type of every file system from now on; 0: the truth.
void pretend_file_system(std::uint32_t type);

/// Whether mincore says from now on that nothing is in memory.
void pretend_nothing_cached(bool pretend);

/// What statx says from now on: that each file has the same inode, and that it was made in that second. 0: the truth.
void pretend_birth(std::int64_t second);

/// Since the program began.
std::int64_t live_mappings();  ///< mmap less munmap
std::uint64_t stray_closes();  ///< of descriptors that were not open
std::size_t struck_sites();    ///< places in the program whose calls were made to fail

}  // namespace ckpt::test::door
