#include "os/mapping.hpp"

#include "os/system_error.hpp"

#include <sys/mman.h>

#include <cerrno>

namespace ckpt::os {

Mapping::Mapping(const File& file, Kind kind) : size_{static_cast<std::size_t>(file.size())} {
  const bool shared = kind == Kind::shared_read_only;
  void* address = ::mmap(nullptr, size_, shared ? PROT_READ : PROT_READ | PROT_WRITE,
                         shared ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE, file.fd(), 0);
  if (address == MAP_FAILED) throw_system_error(errno, "cannot map", file.path());
  data_ = static_cast<std::byte*>(address);
}

Mapping::~Mapping() { ::munmap(data_, size_); }

}  // namespace ckpt::os
