// Metadata and other lists of pairs, as people read them.
#pragma once

#include <ckpt/metadata.hpp>

#include <string>
#include <vector>

namespace ckptdump {

/// Texts, two spaces apart, in lines of at most 110 columns where they allow it.
std::vector<std::string> wrap(const std::vector<std::string>& texts);

/// "key=value" in such lines: step and metrics first, then the time and other keys of the library, then the user's own.
/// Long values are cut unless `whole`.
std::vector<std::string> metadata_lines(const ckpt::Metadata& metadata, bool whole);

}  // namespace ckptdump
