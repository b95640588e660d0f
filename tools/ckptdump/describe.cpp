#include "describe.hpp"

#include "text.hpp"

#include <fmt/format.h>

namespace ckptdump {

std::string dtype_name(const ckpt::TensorInfo& tensor) {
  if (tensor.block) return escape(tensor.block->name);
  const std::string_view name = to_string(tensor.dtype);
  return name == "unknown" ? fmt::format("dtype {}", static_cast<unsigned>(tensor.dtype)) : std::string{name};
}

std::string short_dtype_name(const ckpt::TensorInfo& tensor) { return shorten(dtype_name(tensor), 60); }

std::string codec_name(ckpt::Compression compression) {
  switch (compression) {
    case ckpt::Compression::none:
      return "raw";
    case ckpt::Compression::zstd:
      return "zstd";
  }
  return fmt::format("codec {}", static_cast<unsigned>(compression));
}

bool is_text(ckpt::DType dtype) noexcept { return dtype == ckpt::DType::string || dtype == ckpt::DType::bytes; }

std::uint64_t parameters_of(const ckpt::TensorInfo& tensor) {
  return is_text(tensor.dtype) || tensor.alias_of ? 0 : static_cast<std::uint64_t>(tensor.shape.elements());
}

std::uint64_t own_bytes_of(const ckpt::TensorInfo& tensor) { return tensor.alias_of ? 0 : tensor.size_bytes; }

std::string name_of(const std::filesystem::path& file) { return escape(file.filename().native()); }

void write_tensor_members(JsonWriter& json, const ckpt::Reader& reader, const ckpt::TensorInfo& tensor) {
  json.text_member("path", tensor.path);
  json.member("dtype", to_string(tensor.dtype));
  json.begin_array("shape");
  for (const std::int64_t dim : tensor.shape) json.value(dim);
  json.end();
  json.member("bytes", tensor.size_bytes);
  json.member("stored_bytes", tensor.stored_bytes);
  json.member("offset", tensor.offset);
  json.member("codec", codec_name(tensor.compression));
  json.member("chunks", tensor.chunks);
  if (tensor.alias_of) json.text_member("alias_of", reader.info(*tensor.alias_of).path);
  if (tensor.block) {
    json.begin_object("block");
    json.text_member("name", tensor.block->name);
    json.member("bytes", tensor.block->bytes);
    json.member("elements", tensor.block->elements);
    json.end();
  }
}

}  // namespace ckptdump
