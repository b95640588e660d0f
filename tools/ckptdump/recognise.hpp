// What a file is, by its content.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace ckptdump {

struct KnownFormat {
  std::string name;    ///< "a safetensors file"
  std::string advice;  ///< what reads it
};

/// The other format that the file is in; nothing for checkpoints of ckpt (whole or damaged) and for what is unknown.
/// Reads at most 68 KiB. Nothing too when the file cannot be read: opening it tells why.
std::optional<KnownFormat> recognise_other(const std::filesystem::path& file);

}  // namespace ckptdump
