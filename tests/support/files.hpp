// Whole files in and out, and bytes to fill them with.
#pragma once

#include <ckpt/metadata.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt::test {

inline Bytes read_file(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  if (!in) throw std::runtime_error("cannot read " + path.string());
  in.seekg(0, std::ios::end);
  Bytes bytes(static_cast<std::size_t>(in.tellg()));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!in) throw std::runtime_error("cannot read " + path.string());
  return bytes;
}

/// Replaces the file by a new one, so that a mapping of the old one stays whole.
inline void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::filesystem::remove(path);
  std::ofstream out{path, std::ios::binary};
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) throw std::runtime_error("cannot write " + path.string());
}

inline void write_file(const std::filesystem::path& path, std::string_view text) {
  write_file(path, std::as_bytes(std::span{text}));
}

/// Names in a directory, sorted, hidden ones included.
inline std::vector<std::string> names_in(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator{directory}) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

/// How many unfinished files lie in a directory: ".<name>.<random>.tmp".
inline std::size_t temporaries_in(const std::filesystem::path& directory) {
  const auto names = names_in(directory);
  return static_cast<std::size_t>(std::count_if(names.begin(), names.end(), [](const std::string& name) {
    return name.starts_with(".") && name.ends_with(".tmp");
  }));
}

/// Bytes without a pattern: zstd cannot shrink them.
inline Bytes random_bytes(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 generator{seed};
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(generator());
  return bytes;
}

/// Bytes that zstd shrinks to almost nothing, and that differ from chunk to chunk.
inline Bytes smooth_bytes(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i >> 12U) + seed);
  return bytes;
}

inline Bytes to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span{text});
  return {bytes.begin(), bytes.end()};
}

inline Bytes to_vector(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace ckpt::test
