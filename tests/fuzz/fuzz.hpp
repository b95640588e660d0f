// What the fuzzers share. Each is a function on bytes; libFuzzer searches for inputs, and without it plain_main.cpp
// reads them from files.
#pragma once

#include <ckpt/reader.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
// libFuzzer's; plain_main.cpp has a simple one. Changes the bytes, and returns how many there are then.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);
// Those of a fuzzer that knows the structure of its inputs (checkpoint_mutator.cpp).
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed);
extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* a, std::size_t a_size, const std::uint8_t* b,
                                                 std::size_t b_size, std::uint8_t* out, std::size_t most,
                                                 unsigned seed);

namespace ckpt::fuzz {

/// A file in memory that has a path.
class MemoryFile {
 public:
  MemoryFile() : fd_{::memfd_create("ckpt-fuzz", MFD_CLOEXEC)} {
    if (fd_ < 0) throw std::runtime_error("memfd_create");
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(fd_); }

  /// Nobody may have it mapped.
  void assign(std::span<const std::byte> bytes) const {
    if (::ftruncate(fd_, static_cast<off_t>(bytes.size())) != 0) throw std::runtime_error("ftruncate");
    if (::pwrite(fd_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("pwrite");
    }
  }

 private:
  int fd_;
};

/// How a file is used is the input's choice: a number from a byte that means nothing to a reader, the first of the
/// uuid.
inline unsigned choice(std::span<const std::byte> file) {
  constexpr std::size_t kUuid = 32;
  return file.size() > kUuid ? std::to_integer<unsigned>(file[kUuid]) : 0;
}

inline ReaderOptions reader_options(unsigned choice) {
  return {.mode = (choice & 1U) == 0 ? ReadMode::mmap : ReadMode::read,
          .verify = (choice & 2U) == 0 ? Verify::none : Verify::lazy};
}

}  // namespace ckpt::fuzz
