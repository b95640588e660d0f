// Parts of a test that need a process of their own: to be killed, to lose rights, or to mount a file system.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

extern "C" void __gcov_dump() __attribute__((weak));  // there in a build that counts lines (./dev coverage)

namespace ckpt::test {

/// What a child's function returns when the machine does not allow the test.
inline constexpr std::string_view kSkipped = "SKIPPED: ";

struct ChildResult {
  int exit_status = -1;  ///< or -1
  int signal = 0;        ///< that ended it, or 0
  std::string text;      ///< what its function returned: empty when all was well; or how it ended without returning
};

inline ChildResult wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ChildResult result;
  if (WIFEXITED(status)) result.exit_status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  return result;
}

/// A process that runs `body` beside this one, and is killed at the end if it still runs.
class Process {
 public:
  template <typename Body>
  explicit Process(Body body) : pid_{::fork()} {
    if (pid_ < 0) throw std::runtime_error("fork");
    if (pid_ != 0) return;
    try {
      body();
      ::_exit(0);
    } catch (const std::exception& error) {
      std::cerr << error.what() << std::endl;
    } catch (...) {
    }
    ::_exit(1);
  }
  ~Process() { end(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait_for(std::exchange(pid_, -1));
  }
  int exit_status() { return wait_for(std::exchange(pid_, -1)).exit_status; }

 private:
  pid_t pid_;
};

/// At the end of a child: what it has run counts, too, whatever limit it set for itself.
inline void write_counts() {
  if (__gcov_dump == nullptr) return;
  const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
  ::setrlimit(RLIMIT_FSIZE, &none);
  ::signal(SIGXFSZ, SIG_IGN);  // only root may lift a limit
  __gcov_dump();
}

/// Runs `body` in a forked process. It returns a text that says what is wrong, empty when nothing is; assertions of
/// the test belong into the parent. A signal that ends it is something wrong, too, but for the one that the test sends.
template <typename Body>
ChildResult run_child(Body&& body, int sent = 0) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  std::cout.flush();
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork");
  if (child == 0) {
    std::string text;
    try {
      text = std::forward<Body>(body)();
    } catch (const std::exception& error) {
      text = std::string{"exception: "} + error.what();
    }
    for (std::string_view rest = text; !rest.empty();) {
      const ssize_t written = ::write(ends[1], rest.data(), rest.size());
      if (written <= 0) break;
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    write_counts();
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) != 0;) {
    if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
    if (got < 0 && errno != EINTR) break;
  }
  ::close(ends[0]);
  ChildResult result = wait_for(child);
  result.text = std::move(text);
  if (result.exit_status > 0) result.text += "ended with status " + std::to_string(result.exit_status);
  if (result.signal != sent && result.signal != 0) result.text += "ended by signal " + std::to_string(result.signal);
  return result;
}

/// True, and said aloud, when the child could not do its test here.
inline bool skipped(const ChildResult& result) {
  if (!std::string_view{result.text}.starts_with(kSkipped)) return false;
  std::cout << result.text << std::endl;
  return true;
}

inline std::string skip(std::string_view why) {
  return std::string{kSkipped} + std::string{why} + " (" + std::strerror(errno) + ")";
}

/// In a child: gives the process mounts of its own, so that what it mounts goes with it. Without root it tries a user
/// namespace. False when the machine refuses.
inline bool own_mounts() {
  const bool root = ::geteuid() == 0;
  const std::string uid_map = "0 " + std::to_string(::geteuid()) + " 1";
  const std::string gid_map = "0 " + std::to_string(::getegid()) + " 1";
  if (::unshare(CLONE_NEWNS | (root ? 0 : CLONE_NEWUSER)) != 0) return false;
  if (!root) {
    std::ofstream{"/proc/self/setgroups"} << "deny";
    std::ofstream{"/proc/self/uid_map"} << uid_map;
    std::ofstream{"/proc/self/gid_map"} << gid_map;
  }
  return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

/// In a child with own_mounts(): an empty file system of that many bytes.
inline bool mount_tmpfs(const std::filesystem::path& where, std::size_t bytes) {
  std::filesystem::create_directories(where);
  const std::string options = "mode=0777,size=" + std::to_string(bytes);
  return ::mount("tmpfs", where.c_str(), "tmpfs", 0, options.c_str()) == 0;
}

/// Runs `body` in a child with a file system of its own of that many bytes.
template <typename Body>
ChildResult on_tmpfs(const std::filesystem::path& where, std::size_t bytes, Body&& body) {
  return run_child([&]() -> std::string {
    if (!own_mounts()) return skip("no mount namespace of its own");
    if (!mount_tmpfs(where, bytes)) return skip("cannot mount a tmpfs");
    return std::forward<Body>(body)();
  });
}

inline bool make_read_only(const std::filesystem::path& where) {
  return ::mount(nullptr, where.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0;
}

/// In a child: from here on without the rights of root. False when the machine refuses.
inline bool drop_rights() {
  constexpr uid_t kNobody = 65534;
  if (::geteuid() != 0) return true;
  return ::setgid(kNobody) == 0 && ::setuid(kNobody) == 0;
}

}  // namespace ckpt::test
