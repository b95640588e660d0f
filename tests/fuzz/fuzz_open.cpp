// Any bytes as a checkpoint file: open, verify, bind all, touch every byte, metadata, graph.
#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ckpt::fuzz::use(std::as_bytes(std::span{data, size}));
  return 0;
}
