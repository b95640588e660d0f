// A checkpoint file that is opened and listed: records, look-ups, metadata, graph. No tensor is touched.
#include "fuzz.hpp"

#include <support/errors.hpp>

#include <optional>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using ckpt::test::error_of;
  static const ckpt::fuzz::MemoryFile file;
  const auto bytes = std::as_bytes(std::span{data, size});
  file.assign(bytes);
  std::optional<ckpt::Reader> reader;
  error_of([&] { reader = ckpt::Reader::open(file.path(), ckpt::fuzz::reader_options(ckpt::fuzz::choice(bytes))); });
  if (!reader) return 0;
  constexpr std::size_t kMost = 1000;
  for (std::size_t i = 0; i < std::min(reader->size(), kMost); ++i) {
    error_of([&] { reader->contains(reader->info(i).path); });
  }
  for (const char* path : {"", "model/kernel", "optimizer/m/m/m", "zzz", "\xff"}) {
    error_of([&] { reader->contains(path); });
  }
  error_of([&] { reader->metadata(); });
  error_of([&] { reader->graph(); });
  return 0;
}
