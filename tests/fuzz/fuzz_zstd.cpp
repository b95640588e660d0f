// A frame of a compressed chunk. The first three bytes are the size that the index promised.
#include "codec/zstd.hpp"
#include "fuzz.hpp"

#include <cstdlib>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::size_t content =
      data[0] | static_cast<std::size_t>(data[1]) << 8U | static_cast<std::size_t>(data[2]) << 16U;
  ckpt::Bytes memory(content + 16, std::byte{0x5a});
  ckpt::codec::zstd_decompress(std::as_bytes(std::span{data + 3, size - 3}), std::span{memory}.first(content),
                               std::size_t{1} << 20U);
  for (std::size_t i = content; i < memory.size(); ++i) {
    if (memory[i] != std::byte{0x5a}) std::abort();
  }
  return 0;
}
