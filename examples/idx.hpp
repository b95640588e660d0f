// The IDX files of MNIST and its kin: a big-endian header with the dimensions, then bytes; gzipped or not.
//   offset 0   0, 0, 8 (unsigned bytes), number of dimensions
//          4   the dimensions, 32 bits each
//          …   the elements, row-major
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace example {

struct Idx {
  std::vector<std::size_t> dims;
  std::vector<std::uint8_t> elements;
};

namespace detail {

inline void read_exactly(gzFile file, std::span<std::uint8_t> bytes, const std::filesystem::path& path) {
  const int got = gzread(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  if (got < 0 || static_cast<std::size_t>(got) != bytes.size()) {
    throw std::runtime_error{path.string() + ": damaged, or shorter than its header says"};
  }
}

}  // namespace detail

/// Throws std::runtime_error that names the file when it is missing or is no IDX file of `rank` dimensions.
inline Idx read_idx(const std::filesystem::path& path, std::size_t rank) {
  constexpr std::size_t kMaxElements = std::size_t{1} << 30U;  // far above any of these data sets; gzread takes an int
  const std::unique_ptr<gzFile_s, decltype(&gzclose)> file{gzopen(path.c_str(), "rb"), &gzclose};
  if (!file) throw std::runtime_error{path.string() + ": cannot be opened"};

  std::vector<std::uint8_t> header(4 + 4 * rank);
  detail::read_exactly(file.get(), header, path);
  if (header[0] != 0 || header[1] != 0 || header[2] != 8 || header[3] != rank) {
    throw std::runtime_error{path.string() + ": not an IDX file of bytes with " + std::to_string(rank) + " dimensions"};
  }

  Idx idx;
  std::size_t total = 1;
  for (std::size_t i = 4; i < header.size(); i += 4) {
    const std::size_t dim = (std::size_t{header[i]} << 24U) | (std::size_t{header[i + 1]} << 16U) |
                            (std::size_t{header[i + 2]} << 8U) | std::size_t{header[i + 3]};
    if (dim == 0 || dim > kMaxElements / total) throw std::runtime_error{path.string() + ": impossible dimensions"};
    idx.dims.push_back(dim);
    total *= dim;
  }
  idx.elements.resize(total);
  detail::read_exactly(file.get(), idx.elements, path);
  return idx;
}

}  // namespace example
