// A file with right sums of which many tensors claim the same bytes, without being aliases.
#pragma once

#include <ckpt/limits.hpp>
#include <ckpt/writer.hpp>

#include <support/file_image.hpp>
#include <support/sample.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace ckpt::test::hostile {

/// Tensors "0" to `count` - 1.
inline void store_overlapping(const std::filesystem::path& path, std::size_t count) {
  {
    Writer writer{path, sample_options()};
    writer.add("0", DType::u8, {kMinChunkBytes}, Bytes(kMinChunkBytes));
    for (std::size_t i = 1; i < count; ++i) writer.add(std::to_string(i), DType::u8, {1}, Bytes(1));
    writer.commit();
  }
  FileImage image{path};
  const std::size_t first = image.tensor(image.find("0"));
  for (std::size_t i = 1; i < count; ++i) {
    const std::size_t record = image.tensor(image.find(std::to_string(i)));
    for (const std::size_t field : {at::kBlobOffset, at::kBlobSize, at::kDataSize}) {
      image.set<std::uint64_t>(record + field, image.get<std::uint64_t>(first + field));
    }
    image.set<std::uint32_t>(record + at::kDimsOffset, image.get<std::uint32_t>(first + at::kDimsOffset));
  }
  image.seal_all();
  image.store(path);
}

}  // namespace ckpt::test::hostile
