// For tests that kill a process: how often, and what it had done by then.
#pragma once

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace ckpt::test {

/// How many processes to kill: CKPT_TEST_KILLS, or else so many.
inline int kills(int usual) {
  const char* text = std::getenv("CKPT_TEST_KILLS");
  return text == nullptr ? usual : std::atoi(text);
}

/// A T, in memory that processes share and that outlives them.
template <typename T>
class Shared {
 public:
  Shared() : memory_{::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)} {
    if (memory_ == MAP_FAILED) throw std::bad_alloc{};
    new (memory_) T;
  }
  ~Shared() { ::munmap(memory_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T& operator*() const { return *static_cast<T*>(memory_); }

 private:
  void* memory_;
};

}  // namespace ckpt::test
