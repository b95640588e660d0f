// What the disk and the page cache give on the same bytes, without a format or checksums: the limits of saving
// and of loading from the disk.
#include "input.hpp"
#include "limits.hpp"
#include "page_cache.hpp"

#include <fcntl.h>

#include <optional>

namespace ckpt::bench {
namespace {

std::filesystem::path new_file() { return work_folder() / "limit.bin"; }

using Strategy = void (NewFile::*)(std::span<const std::byte>) const;

void limit_write(benchmark::State& state, int flags, Strategy strategy) {
  guarded(state, [&] {
    const std::span<const std::byte> data = source(state.range(0));
    std::optional<NewFile> file;
    for (auto _ : state) {
      file.emplace(new_file(), flags);
      ((*file).*strategy)(data);
      state.PauseTiming();
      file.reset();
      state.ResumeTiming();
    }
    set_bytes(state);
  });
}

void limit_write_direct(benchmark::State& state) {
  static const bool direct = allows_direct_io(work_folder());
  if (direct) return limit_write(state, O_DIRECT, &NewFile::write_direct);
  limit_write(state, 0, &NewFile::write_early);
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
      std::optional<NewFile> file{std::in_place, new_file()};
      file->write_cached(data);
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
