#include "recognise.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string_view>
#include <system_error>

namespace ckptdump {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kHeadBytes = 4096;
constexpr std::size_t kTailBytes = 65536;

struct Ends {
  std::uint64_t size;
  std::string head;
  std::string tail;
};

std::optional<Ends> read_ends(const std::filesystem::path& file) {
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(file, error);
  std::ifstream stream{file, std::ios::binary};
  if (error || !stream) return std::nullopt;
  Ends ends{size, std::string(std::min<std::uint64_t>(size, kHeadBytes), '\0'),
            std::string(std::min<std::uint64_t>(size, kTailBytes), '\0')};
  stream.read(ends.head.data(), static_cast<std::streamsize>(ends.head.size()));
  stream.seekg(static_cast<std::streamoff>(size - ends.tail.size()));
  stream.read(ends.tail.data(), static_cast<std::streamsize>(ends.tail.size()));
  if (!stream) return std::nullopt;
  return ends;
}

bool is_ckpt(const Ends& ends) {
  return ends.head.starts_with(
             "\x89"
             "CKP\r\n\x1a\n"sv) ||
         ends.tail.ends_with("CKPTEND\n"sv);
}

// A little-endian length, then that many bytes of a JSON object.
bool is_safetensors(const Ends& ends) {
  constexpr std::uint64_t kMostHeaderBytes = 100'000'000;
  if (ends.head.size() < 10 || ends.head[8] != '{') return false;
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8U | static_cast<unsigned char>(ends.head[i]);
  return length >= 2 && length <= kMostHeaderBytes && length <= ends.size - 8;
}

KnownFormat zip_format(const Ends& ends) {
  const auto names = [&](std::string_view name) {
    return ends.head.find(name) != std::string::npos || ends.tail.find(name) != std::string::npos;
  };
  if (names("/data.pkl")) return {"a PyTorch file", "torch.load(FILE, weights_only=True) reads it"};
  if (names("model.weights.h5")) return {"a Keras file", "keras.saving.load_model reads it"};
  if (names(".npy")) return {"a NumPy .npz archive", "numpy.load reads it"};
  return {"a ZIP archive", "unzip it first"};
}

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  std::string_view name;
  std::string_view advice;
};

// Texts that a file begins with.
constexpr std::array<Magic, 12> kMagics{{
    {0, "GGUF"sv, "a GGUF file", "gguf-dump shows it"},
    {0, "\x93NUMPY"sv, "a NumPy .npy file", "numpy.load reads it"},
    {0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file", "h5dump shows it"},
    {512, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file", "h5dump shows it"},
    {0, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv, "a PyTorch file of before version 1.6",
     "torch.load(FILE, weights_only=True) reads it"},
    {4, "FT01"sv, "an ExecuTorch .ptd file", "ExecuTorch reads it"},
    {4, "ET12"sv, "an ExecuTorch .pte program", "ExecuTorch reads it"},
    {0, "model_checkpoint_path:"sv, "the state file of a directory of TensorFlow checkpoints",
     "tf.train.list_variables(DIRECTORY) lists them"},
    {0, "\x28\xb5\x2f\xfd"sv, "a file compressed by zstd", "decompress it first: zstd -d"},
    {0, "\x1f\x8b\x08"sv, "a file compressed by gzip", "decompress it first: gunzip"},
    {0,
     "\xfd"
     "7zXZ\x00"sv,
     "a file compressed by xz", "decompress it first: unxz"},
    {257, "ustar"sv, "a tar archive", "unpack it first: tar -xf"},
}};

}  // namespace

std::optional<KnownFormat> recognise_other(const std::filesystem::path& file) {
  const std::optional<Ends> ends = read_ends(file);
  if (!ends || is_ckpt(*ends)) return std::nullopt;
  for (const Magic& magic : kMagics) {
    if (ends->head.size() > magic.offset &&
        std::string_view{ends->head}.substr(magic.offset).starts_with(magic.bytes)) {
      return KnownFormat{std::string{magic.name}, std::string{magic.advice}};
    }
  }
  if (ends->head.starts_with("PK\x03\x04"sv)) return zip_format(*ends);
  if (ends->tail.ends_with("\x57\xfb\x80\x8b\x24\x75\x47\xdb"sv)) {
    return KnownFormat{"the index of a TensorFlow checkpoint", "tf.train.list_variables(PREFIX) lists it"};
  }
  if (is_safetensors(*ends)) return KnownFormat{"a safetensors file", "the safetensors library reads it"};
  return std::nullopt;
}

}  // namespace ckptdump
