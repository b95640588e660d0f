// A checkpoint file of which everything is used: opened, verified, all tensors bound and every byte touched, metadata
// and graph, and then restored into objects.
#include "fuzz.hpp"
#include "program.hpp"

#include <support/sample.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ckpt::fuzz::MemoryFile file;
  const auto bytes = std::as_bytes(std::span{data, size});
  file.assign(bytes);
  const unsigned choice = ckpt::fuzz::choice(bytes);
  if (ckpt::test::use_everything(file.path(), ckpt::fuzz::reader_options(choice)).opened) {
    ckpt::fuzz::restore_objects(file.path(), choice);
  }
  return 0;
}
