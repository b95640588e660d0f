#include "os/mapping.hpp"

#include "os/system_error.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ckpt::os {
namespace {

// Linux 5.14; the C library may be older.
#ifdef MADV_POPULATE_READ
constexpr int kPopulate = MADV_POPULATE_READ;
#else
constexpr int kPopulate = 22;
#endif

std::size_t page_start(std::size_t offset) noexcept {
  static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return offset / page * page;
}

}  // namespace

Mapping::Mapping(const File& file, Kind kind) : size_{static_cast<std::size_t>(file.size())} {
  int protection = PROT_READ;
  if (kind == Kind::private_writable) protection = PROT_READ | PROT_WRITE;
  if (kind == Kind::untouchable) protection = PROT_NONE;
  const int sharing = kind == Kind::private_writable ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED;
  void* address = ::mmap(nullptr, size_, protection, sharing, file.fd(), 0);
  if (address == MAP_FAILED) throw_system_error(errno, "cannot map", file.path());
  data_ = static_cast<std::byte*>(address);
}

bool Mapping::is_cached(std::size_t offset) const noexcept {
  unsigned char state = 0;
  return ::mincore(data_ + page_start(offset), 1, &state) != 0 || (state & 1U) != 0;
}

int Mapping::populate(std::size_t offset, std::size_t size) const noexcept {
  if (size == 0) return 0;
  const std::size_t at = page_start(offset);
  if (::madvise(data_ + at, offset + size - at, kPopulate) == 0) return 0;
  const int error = errno;
  if (error == EINVAL) ::madvise(data_ + at, offset + size - at, MADV_WILLNEED);
  return error;
}

Mapping::~Mapping() { ::munmap(data_, size_); }

}  // namespace ckpt::os
