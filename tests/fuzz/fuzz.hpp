// What the fuzzers share. Each is a function on bytes; libFuzzer searches for inputs, and without it plain_main.cpp
// reads them from files.
#pragma once

#include <ckpt/reader.hpp>

#include <support/sample.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

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
    if (::ftruncate(fd_, 0) != 0) throw std::runtime_error("ftruncate");
    if (::pwrite(fd_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("pwrite");
    }
  }

 private:
  int fd_;
};

/// Opens the bytes as a checkpoint and uses all of it, in the mode that the input chooses. Only ckpt::Error may come
/// out of the library; everything else ends the fuzzer.
inline void use(std::span<const std::byte> bytes) {
  static const MemoryFile file;
  file.assign(bytes);
  const ReadMode mode = bytes.size() % 2 == 0 ? ReadMode::mmap : ReadMode::read;
  const Verify verify = bytes.size() % 3 == 0 ? Verify::lazy : Verify::none;
  test::use_everything(file.path(), {.mode = mode, .verify = verify});
}

}  // namespace ckpt::fuzz
