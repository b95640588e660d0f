#include "os/memory.hpp"

#include <ckpt/error.hpp>

#include <sys/mman.h>

#include <cerrno>
#include <limits>
#include <string>
#include <utility>

namespace ckpt::os {

void prefer_huge_pages(std::span<std::byte> memory) noexcept { ::madvise(memory.data(), memory.size(), MADV_HUGEPAGE); }

std::uint64_t Memory::rounded(std::uint64_t bytes) noexcept {
  // What is near the end of the address space stays as it is; mmap refuses it.
  if (bytes > std::numeric_limits<std::uint64_t>::max() - kGranularity) return bytes;
  return (bytes + kGranularity - 1) / kGranularity * kGranularity;
}

Memory::Memory(std::uint64_t bytes) : size_{rounded(bytes)} {
  void* address = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) {
    throw Error{ErrorCode::limit,
                {.problem = "the system has no memory for a copy of the data",
                 .expected = std::to_string(size_) + " bytes",
                 .advice = "free some memory; a save needs none when it lends the variables until the file is durable "
                           "(SaveMode::hand_off), or as Checkpoint::save",
                 .system_error = errno}};
  }
  data_ = static_cast<std::byte*>(address);
  prefer_huge_pages({data_, size_});
  ::madvise(data_, size_, MADV_DONTFORK);  // a hint, too
}

Memory::~Memory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

Memory::Memory(Memory&& other) noexcept
    : data_{std::exchange(other.data_, nullptr)}, size_{std::exchange(other.size_, 0)} {}

Memory& Memory::operator=(Memory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace ckpt::os
