#include "os/mapping.hpp"

#include "os/memory.hpp"
#include "os/system_error.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace ckpt::os {
namespace {

// Linux 5.14; the C library may be older.
#ifdef MADV_POPULATE_READ
constexpr int kPopulate = MADV_POPULATE_READ;
#else
constexpr int kPopulate = 22;
#endif

// Who wants less at once looks at single tensors, and is not served with 2 MiB for each.
constexpr std::size_t kMuch = std::size_t{512} << 10U;

// A virtual machine whose host has taken free memory back waits for it, and for large pages up to ten times as long as
// for small ones. Where it is the device that takes so long, the size of pages matters little.
constexpr std::chrono::milliseconds kLong{100};

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

// From then on the kernel reads 2 MiB and more at a time of these, whatever the readahead of the device.
void Mapping::want_huge_pages(std::size_t offset, std::size_t size) const noexcept {
  const std::size_t begin = offset / kHugePage * kHugePage;
  const std::size_t end = std::min(size_, (offset + size + kHugePage - 1) / kHugePage * kHugePage);
  ::madvise(data_ + begin, end - begin, MADV_HUGEPAGE);
}

int Mapping::populate(std::size_t offset, std::size_t size) const noexcept {
  if (size == 0) return 0;
  const std::size_t at = page_start(offset);
  const bool huge = size >= kMuch && !slow_;
  if (huge) want_huge_pages(offset, size);
  const auto begun = std::chrono::steady_clock::now();
  const int error = ::madvise(data_ + at, offset + size - at, kPopulate) == 0 ? 0 : errno;
  if (huge && std::chrono::steady_clock::now() - begun > kLong) slow_ = true;
  if (error == EINVAL) ::madvise(data_ + at, offset + size - at, MADV_WILLNEED);
  return error;
}

Mapping::~Mapping() { ::munmap(data_, size_); }

}  // namespace ckpt::os
