// The bytes of a whole checkpoint's tensors in one plain file, to be compared with those of another run.
#pragma once

#include <ckpt/reader.hpp>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <span>
#include <stdexcept>

namespace example {

/// Writes every tensor of `checkpoint` to `output`, in order of their paths. (The checkpoints of equal states differ in
/// two things, identifier and time, so comparing these files themselves would not do.)
inline void write_final_state(const std::filesystem::path& checkpoint, const std::filesystem::path& output) {
  const ckpt::Reader reader = ckpt::Reader::open(checkpoint, {.verify = ckpt::Verify::full});
  std::ofstream file{output, std::ios::binary};
  for (std::size_t i = 0; i < reader.size(); ++i) {
    const ckpt::TensorView tensor = reader.tensor(i);
    const std::span<const std::byte> bytes = tensor.bytes();
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  file.close();
  if (!file) throw std::runtime_error{output.string() + ": cannot be written"};
}

}  // namespace example
