#include "page_cache.hpp"

#include "input.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

namespace ckpt::bench {
namespace {

[[noreturn]] void fail(const std::filesystem::path& file, const char* what) {
  throw std::system_error{errno, std::generic_category(), file.string() + ": " + what};
}

int open_file(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(file, "open");
  return fd;
}

// The share of the file's pages that are in memory.
double resident_share(const std::filesystem::path& file) {
  const int fd = open_file(file);
  const auto size = static_cast<std::size_t>(std::filesystem::file_size(file));
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  if (data == MAP_FAILED) fail(file, "mmap");
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((size + page - 1) / page);
  const int failed = ::mincore(data, size, pages.data());
  ::munmap(data, size);
  if (failed != 0) fail(file, "mincore");
  const auto resident = std::ranges::count_if(pages, [](unsigned char flags) { return (flags & 1U) != 0; });
  return static_cast<double>(resident) / static_cast<double>(pages.size());
}

bool is_resident(const std::filesystem::path& file) { return resident_share(file) == 1; }

void read_all(const std::filesystem::path& file) {
  const int fd = open_file(file);
  std::vector<std::byte> buffer(kMiB);
  ssize_t moved = 1;
  while (moved > 0) moved = ::read(fd, buffer.data(), buffer.size());
  const int error = errno;
  ::close(fd);
  if (moved < 0) throw std::system_error{error, std::generic_category(), file.string() + ": read"};
}

void drop(const std::filesystem::path& file) {
  const int fd = open_file(file);
  const int failed = ::fdatasync(fd) != 0 ? errno : ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ::close(fd);
  if (failed != 0) throw std::system_error{failed, std::generic_category(), file.string() + ": fadvise"};
}

}  // namespace

void require_warm(const std::filesystem::path& file) {
  // The kernel may drop a few pages again while it reads others, with memory to spare.
  constexpr int kAttempts = 5;
  for (int i = 0; i < kAttempts; ++i) {
    if (is_resident(file)) return;
    read_all(file);
  }
  if (!is_resident(file)) {
    throw std::runtime_error{file.string() + " does not stay in the page cache: too little memory?"};
  }
}

void require_cold(const std::filesystem::path& file) {
  // So that the memory which the file takes when it is read is warm, as that of new files (see WarmCache).
  read_all(file);
  // Pages that are on a list of another processor stay for the moment.
  constexpr int kAttempts = 5;
  for (int i = 0; i < kAttempts; ++i) {
    drop(file);
    // A page that something else looks at may stay.
    if (resident_share(file) <= 0.001) return;
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
  throw std::runtime_error{file.string() + " does not leave the page cache"};
}

WarmCache::WarmCache(std::int64_t mebibytes)
    : mebibytes_{mebibytes}, holder_{work_folder() / ("cache-" + std::to_string(mebibytes))} {}

void WarmCache::release() {
  if (!std::filesystem::exists(holder_)) {
    const std::span<const std::byte> data = source(mebibytes_);
    std::ofstream out{holder_, std::ios::binary};
    out.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
    if (!out.flush()) throw std::runtime_error{"cannot write " + holder_.string()};
  }
  std::filesystem::remove(holder_);
}

void WarmCache::hold(const std::filesystem::path& written) {
  std::filesystem::rename(written, holder_);
  // Now, lest the kernel does it while another benchmark runs.
  const int fd = open_file(holder_);
  const int failed = ::fsync(fd);
  ::close(fd);
  if (failed != 0) fail(holder_, "fsync");
}

}  // namespace ckpt::bench
