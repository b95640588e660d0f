// What the disk and the page cache give on the same bytes, without a format or checksums: the limits of saving
// and of loading from the disk.
#include "input.hpp"
#include "page_cache.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <optional>
#include <system_error>
#include <thread>

namespace ckpt::bench {
namespace {

constexpr std::size_t kPiece = 8 * kMiB;
constexpr std::size_t kInFlight = 2;

// A new file that is removed at the end, unless somebody took it away.
class NewFile {
 public:
  explicit NewFile(int flags)
      : path_{work_folder() / "limit.bin"},
        fd_{::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | flags, 0666)} {
    if (fd_ < 0) fail(errno, "open");
  }
  ~NewFile() {
    ::close(fd_);
    ::unlink(path_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  int fd() const noexcept { return fd_; }
  const std::filesystem::path& path() const noexcept { return path_; }

  [[noreturn]] void fail(int error, const char* call) const {
    throw std::system_error{error, std::generic_category(), path_.string() + ": " + call};
  }

  /// Writes the piece at `offset`; returns 0 or an errno value.
  int write_piece(std::span<const std::byte> data, std::size_t offset) const {
    const std::size_t end = std::min(offset + kPiece, data.size());
    while (offset < end) {
      const ssize_t moved = ::pwrite(fd_, data.data() + offset, end - offset, static_cast<off_t>(offset));
      if (moved < 0) return errno;
      offset += static_cast<std::size_t>(moved);
    }
    return 0;
  }

  void sync() const {
    if (::fdatasync(fd_) != 0) fail(errno, "fdatasync");
  }

 private:
  std::filesystem::path path_;
  int fd_;
};

// The fastest of the plain ways that were tried: space allocated first, past the page cache, two requests in flight.
void write_direct(const NewFile& file, std::span<const std::byte> data) {
  // A file system that cannot allocate ahead is written to all the same.
  if (::fallocate(file.fd(), 0, 0, static_cast<off_t>(data.size())) != 0 && errno == ENOSPC) {
    file.fail(errno, "fallocate");
  }
  std::atomic<std::size_t> next = 0;
  std::atomic<int> error = 0;
  const auto write_pieces = [&] {
    for (std::size_t at = next.fetch_add(kPiece); at < data.size() && error == 0; at = next.fetch_add(kPiece)) {
      if (const int failed = file.write_piece(data, at)) error = failed;
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < kInFlight; ++i) others.emplace_back(write_pieces);
    write_pieces();
  }
  if (error != 0) file.fail(error, "direct write");
  file.sync();
}

// Through the page cache, but each piece sets out for the disk at once.
void write_early(const NewFile& file, std::span<const std::byte> data) {
  for (std::size_t at = 0; at < data.size(); at += kPiece) {
    if (const int error = file.write_piece(data, at)) file.fail(error, "write");
    ::sync_file_range(file.fd(), static_cast<off_t>(at), static_cast<off_t>(kPiece), SYNC_FILE_RANGE_WRITE);
  }
  file.sync();
}

void write_cached(const NewFile& file, std::span<const std::byte> data) {
  for (std::size_t at = 0; at < data.size(); at += kPiece) {
    if (const int error = file.write_piece(data, at)) file.fail(error, "write");
  }
}

using Strategy = void (*)(const NewFile&, std::span<const std::byte>);

void limit_write(benchmark::State& state, int flags, Strategy strategy) {
  guarded(state, [&] {
    const std::span<const std::byte> data = source(state.range(0));
    std::optional<NewFile> file;
    for (auto _ : state) {
      file.emplace(flags);
      strategy(*file, data);
      state.PauseTiming();
      file.reset();
      state.ResumeTiming();
    }
    set_bytes(state);
  });
}

bool allows_direct_io() {
  const NewFile file{0};
  if (::fcntl(file.fd(), F_SETFL, O_DIRECT) != 0) return false;
  return file.write_piece(source(1), 0) == 0;
}

void limit_write_direct(benchmark::State& state) {
  static const bool direct = allows_direct_io();
  if (direct) return limit_write(state, O_DIRECT, write_direct);
  limit_write(state, 0, write_early);
  state.SetLabel("through the page cache: the file system refuses O_DIRECT");
}

void limit_write_cached(benchmark::State& state) {
  guarded(state, [&] {
    const std::span<const std::byte> data = source(state.range(0));
    WarmCache cache{state.range(0)};
    for (auto _ : state) {
      state.PauseTiming();
      cache.release();
      state.ResumeTiming();
      std::optional<NewFile> file{std::in_place, 0};
      write_cached(*file, data);
      state.PauseTiming();
      cache.hold(file->path());
      file.reset();
      state.ResumeTiming();
    }
    set_bytes(state);
  });
}

// The file of the tensors, past the page cache, in pieces.
void read_direct(const std::filesystem::path& file, std::span<std::byte> memory) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
  if (fd < 0) throw std::system_error{errno, std::generic_category(), file.string() + ": open with O_DIRECT"};
  std::atomic<std::size_t> next = 0;
  std::atomic<int> error = 0;
  const auto read_pieces = [&] {
    for (std::size_t at = next.fetch_add(kPiece); at < memory.size() && error == 0; at = next.fetch_add(kPiece)) {
      const std::size_t wanted = std::min(kPiece, memory.size() - at);
      if (::pread(fd, memory.data() + at, wanted, static_cast<off_t>(at)) < 0) error = errno;
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < kInFlight; ++i) others.emplace_back(read_pieces);
    read_pieces();
  }
  ::close(fd);
  if (error != 0) throw std::system_error{error, std::generic_category(), file.string() + ": direct read"};
}

void limit_read_direct(benchmark::State& state) {
  guarded(state, [&] {
    const std::filesystem::path file = transformer_file(state.range(0));
    for (auto _ : state) read_direct(file, target(state.range(0)));
    set_bytes(state);
  });
}

BENCHMARK(limit_write_direct)->Apply(each_size)->UseRealTime();
BENCHMARK(limit_write_cached)->Apply(each_size)->UseRealTime();
BENCHMARK(limit_read_direct)->Apply(each_size)->UseRealTime();

}  // namespace
}  // namespace ckpt::bench
