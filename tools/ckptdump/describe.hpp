// Tensors and files in words, and as JSON members.
#pragma once

#include "json.hpp"

#include <ckpt/reader.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace ckptdump {

/// "f32", a block type's own name, or "dtype 200" for one that this version does not know.
std::string dtype_name(const ckpt::TensorInfo& tensor);

/// The same, cut where a block type's name is long: for columns.
std::string short_dtype_name(const ckpt::TensorInfo& tensor);

/// "raw", "zstd", or "codec 7".
std::string codec_name(ckpt::Compression compression);

/// Whether the elements are text or bytes of any length, not numbers.
bool is_text(ckpt::DType dtype) noexcept;

/// Numbers that the tensor holds: 0 for text, and for an alias, whose numbers its owner counts.
std::uint64_t parameters_of(const ckpt::TensorInfo& tensor);

/// Bytes of the tensor's data: 0 for an alias.
std::uint64_t own_bytes_of(const ckpt::TensorInfo& tensor);

/// The name of a file without its directory, escaped.
std::string name_of(const std::filesystem::path& file);

/// Everything that the index says of a tensor, as members of the open object.
void write_tensor_members(JsonWriter& json, const ckpt::Reader& reader, const ckpt::TensorInfo& tensor);

}  // namespace ckptdump
