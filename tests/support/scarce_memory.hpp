// Processes that lack memory: what malloc does not give them, zstd and threads lack, too.
#pragma once

#include "support/sanitizer.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <stdexcept>

namespace ckpt::test {

/// Whether a child may be kept from memory; said aloud if not. A sanitizer has mapped its own before.
inline bool may_limit_memory() {
  rlimit limit{};
  ::getrlimit(RLIMIT_AS, &limit);
  const char* reason = under_sanitizer()                 ? "a sanitizer needs memory of its own"
                       : limit.rlim_max != RLIM_INFINITY ? "there is a limit already"
                                                         : nullptr;
  if (reason != nullptr) std::cout << "SKIPPED: " << reason << std::endl;
  return reason == nullptr;
}

/// In a child: from here on its address space grows by so many bytes at most, as batch systems set it.
inline void limit_memory(std::size_t bytes) {
  char text[32]{};  // a stream would take memory
  const int statm = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  const ssize_t got = ::read(statm, text, sizeof text - 1);
  ::close(statm);
  if (got <= 0) throw std::runtime_error{"/proc/self/statm"};
  const std::size_t pages = std::strtoull(text, nullptr, 10);
  rlimit limit{};
  ::getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + bytes;
  if (::setrlimit(RLIMIT_AS, &limit) != 0) throw std::runtime_error{"setrlimit"};
}

/// In a child: from here on malloc gives nothing of `least` bytes or more, and a little that is less.
inline void take_all_memory(std::size_t least) {
  void* const little = std::malloc(least);
  limit_memory(0);  // what there is stays
  for (std::size_t size = std::size_t{1} << 20U; size >= least; size /= 2) {
    void* volatile taken = nullptr;  // the compiler may not leave the calls out
    do taken = std::malloc(size);
    while (taken != nullptr);
  }
  std::free(little);
}

}  // namespace ckpt::test
