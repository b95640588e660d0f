#include "limits.hpp"

#include "input.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#ifdef CKPT_XXHASH_CHOOSES
#include <xxh_x86dispatch.h>
#endif

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

namespace ckpt::bench {
namespace {

constexpr std::size_t kPiece = 8 * kMiB;
constexpr unsigned kInFlight = 2;

[[noreturn]] void fail(const std::filesystem::path& path, int error, const char* call) {
  throw std::system_error{error, std::generic_category(), path.string() + ": " + call};
}

/// Calls `work` on so many threads, the caller's included.
void on_threads(unsigned threads, const std::function<void()>& work) {
  std::vector<std::jthread> others;
  for (unsigned i = 1; i < threads; ++i) others.emplace_back(work);
  work();
}

/// `move(offset)` moves one piece and returns 0 or an errno value.
template <typename Move>
int with_two_in_flight(std::size_t size, const Move& move) {
  std::atomic<std::size_t> next = 0;
  std::atomic<int> error = 0;
  on_threads(kInFlight, [&] {
    for (std::size_t at = next.fetch_add(kPiece); at < size && error == 0; at = next.fetch_add(kPiece)) {
      if (const int failed = move(at)) error = failed;
    }
  });
  return error;
}

}  // namespace

unsigned all_cores() { return std::max(1U, std::thread::hardware_concurrency()); }

void open_once(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status{};
  if (fd < 0 || ::fstat(fd, &status) != 0) throw std::runtime_error{"cannot open " + file.string()};
  const auto size = static_cast<std::size_t>(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) throw std::runtime_error{"cannot map " + file.string()};
  benchmark::DoNotOptimize(*static_cast<const volatile std::byte*>(data));
  ::munmap(data, size);
  ::close(fd);
}

NewFile::NewFile(std::filesystem::path path, int flags)
    : path_{std::move(path)}, fd_{::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | flags, 0666)} {
  if (fd_ < 0) fail(path_, errno, "open");
}

NewFile::~NewFile() {
  ::close(fd_);
  if (!kept_) ::unlink(path_.c_str());
}

int NewFile::write_piece(std::span<const std::byte> data, std::size_t offset) const {
  const std::size_t end = std::min(offset + kPiece, data.size());
  while (offset < end) {
    const ssize_t moved = ::pwrite(fd_, data.data() + offset, end - offset, static_cast<off_t>(offset));
    if (moved < 0) return errno;
    offset += static_cast<std::size_t>(moved);
  }
  return 0;
}

void NewFile::sync() const {
  if (::fdatasync(fd_) != 0) fail(path_, errno, "fdatasync");
}

void NewFile::write_direct(std::span<const std::byte> data) const {
  // A file system that cannot allocate ahead is written to all the same.
  if (::fallocate(fd_, 0, 0, static_cast<off_t>(data.size())) != 0 && errno == ENOSPC) fail(path_, errno, "fallocate");
  const int error = with_two_in_flight(data.size(), [&](std::size_t at) { return write_piece(data, at); });
  if (error != 0) fail(path_, error, "direct write");
  sync();
}

void NewFile::write_early(std::span<const std::byte> data) const {
  for (std::size_t at = 0; at < data.size(); at += kPiece) {
    if (const int error = write_piece(data, at)) fail(path_, error, "write");
    ::sync_file_range(fd_, static_cast<off_t>(at), static_cast<off_t>(kPiece), SYNC_FILE_RANGE_WRITE);
  }
  sync();
}

void NewFile::write_cached(std::span<const std::byte> data) const {
  for (std::size_t at = 0; at < data.size(); at += kPiece) {
    if (const int error = write_piece(data, at)) fail(path_, error, "write");
  }
}

bool allows_direct_io(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "direct.bin";
  try {
    const NewFile file{path, O_DIRECT};
    file.write_direct(source(1));
    return true;
  } catch (const std::system_error& error) {
    std::filesystem::remove(path);
    if (error.code() != std::errc::invalid_argument) throw;
    return false;
  }
}

void read_direct(const std::filesystem::path& file, std::span<std::byte> memory) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
  if (fd < 0) fail(file, errno, "open");
  const int error = with_two_in_flight(memory.size(), [&](std::size_t at) {
    const std::size_t end = std::min(at + kPiece, memory.size());
    while (at < end) {
      const ssize_t moved = ::pread(fd, memory.data() + at, end - at, static_cast<off_t>(at));
      if (moved <= 0) return moved < 0 ? errno : ENODATA;
      at += static_cast<std::size_t>(moved);
    }
    return 0;
  });
  ::close(fd);
  if (error != 0) fail(file, error, "direct read");
}

void on_pieces(std::span<const std::span<const std::byte>> parts, unsigned threads,
               const std::function<void(std::span<const std::byte>)>& work) {
  std::vector<std::span<const std::byte>> pieces;
  for (std::span<const std::byte> part : parts) {
    for (; part.size() > kMiB; part = part.subspan(kMiB)) pieces.push_back(part.first(kMiB));
    pieces.push_back(part);
  }
  std::atomic<std::size_t> next = 0;
  on_threads(threads, [&] {
    for (std::size_t i = next++; i < pieces.size(); i = next++) work(pieces[i]);
  });
}

std::uint64_t sum_all(std::span<const std::span<const std::byte>> parts, unsigned threads) {
  std::atomic<std::uint64_t> total = 0;
  on_pieces(parts, threads, [&](std::span<const std::byte> piece) { total += sum(piece); });
  return total;
}

void hash_all(std::span<const std::byte> memory, unsigned threads) {
  on_pieces({&memory, 1}, threads, [](std::span<const std::byte> piece) {
    benchmark::DoNotOptimize(XXH3_64bits(piece.data(), piece.size()));
  });
}

void copy_all(std::span<const std::byte> from, std::span<std::byte> to, unsigned threads) {
  const std::size_t piece = (from.size() + threads - 1) / threads;
  std::atomic<std::size_t> next = 0;
  on_threads(threads, [&] {
    const std::size_t at = std::min(from.size(), piece * next++);
    std::memcpy(to.data() + at, from.data() + at, std::min(piece, from.size() - at));
  });
  benchmark::ClobberMemory();
}

}  // namespace ckpt::bench
