// Checking every byte of a file.
#pragma once

#include "format/header.hpp"
#include "format/index_view.hpp"
#include "io/source.hpp"

#include <ckpt/reader.hpp>

#include <filesystem>

namespace ckpt::io {

/// Index pages, structure, data and padding, on several cores. Damage is collected in the report; throws io.
VerifyReport verify_file(const std::filesystem::path& path, const Source& source, const format::IndexView& index,
                         const format::Header& header, const format::Footer& footer, const VerifyOptions& options);

}  // namespace ckpt::io
