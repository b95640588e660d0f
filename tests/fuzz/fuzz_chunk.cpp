// A compressed chunk: header, table, planes and their frames. The first three bytes are the size that the index
// promised.
#include "codec/chunk.hpp"
#include "fuzz.hpp"

#include <cstdlib>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::size_t content =
      data[0] | static_cast<std::size_t>(data[1]) << 8U | static_cast<std::size_t>(data[2]) << 16U;
  const auto stored = std::as_bytes(std::span{data + 3, size - 3});
  constexpr std::size_t kWindow = std::size_t{1} << 20U;
  const char* problem = ckpt::codec::chunk_problem(stored, content, kWindow);
  ckpt::Bytes memory(content + 16, std::byte{0x5a});
  ckpt::codec::ChunkDecoder decoder;
  const bool decoded = decoder.decode(stored, std::span{memory}.first(content), kWindow) == nullptr;
  if (decoded && problem != nullptr) std::abort();
  for (std::size_t i = content; i < memory.size(); ++i) {
    if (memory[i] != std::byte{0x5a}) std::abort();
  }
  return 0;
}
