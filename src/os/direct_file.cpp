#include "os/direct_file.hpp"

#include <ckpt/error.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace ckpt::os {

namespace {

// To ask what is in memory takes as much of the address space as the file has bytes. Where that is limited, it is for
// the values.
bool has_address_space() noexcept {
  struct rlimit limit{};
  return ::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
}

}  // namespace

std::unique_ptr<const DirectFile> DirectFile::open(const File& file) {
  if (!has_address_space()) return nullptr;
  // The path may lead to another file by now, this name does not.
  const std::string name = "/proc/self/fd/" + std::to_string(file.fd());
  Descriptor descriptor = apart_from_streams(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT));
  if (!descriptor.is_open()) return nullptr;
  try {
    return std::unique_ptr<const DirectFile>{new DirectFile{std::move(descriptor), file}};
  } catch (const Error&) {
    return nullptr;  // no room for the mapping: the page cache does without
  }
}

std::span<const std::byte> DirectFile::read_at(std::uint64_t offset, std::uint64_t size,
                                               std::byte* buffer) const noexcept {
  if (refused_ || pages_.is_cached(static_cast<std::size_t>(offset))) return {};
  const auto before = static_cast<std::size_t>(offset % kAlignment);
  const auto wanted = static_cast<std::size_t>(std::min(size, kMostBytes));
  const std::size_t aligned = (before + wanted + kAlignment - 1) / kAlignment * kAlignment;
  const ssize_t got = ::pread(descriptor_.get(), buffer, aligned, static_cast<off_t>(offset - before));
  if (got < 0 && errno == EINVAL) refused_ = true;
  if (got < 0 || static_cast<std::size_t>(got) <= before) return {};
  return {buffer + before, std::min(static_cast<std::size_t>(got) - before, wanted)};
}

}  // namespace ckpt::os
