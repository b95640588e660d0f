// How much memory the process has held at most.
#pragma once

#include <sys/resource.h>

namespace ckpt::test::hostile {

inline long peak_kib() {
  struct rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

// Sanitizers keep what was freed, and notes beside what was not.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr long kOverhead = 8;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr long kOverhead = 8;
#else
inline constexpr long kOverhead = 1;
#endif
#else
inline constexpr long kOverhead = 1;
#endif

/// What a file may cost, besides twice its index.
inline constexpr long kMostKib = kOverhead * 64 * 1024;

}  // namespace ckpt::test::hostile
