// A program made for a file: the objects and variables that the file's graph tells of, to restore the file into.
#pragma once

#include <filesystem>

namespace ckpt::fuzz {

/// Plans and restores, some objects late, and uses the values. `choice` decides how. Only ckpt::Error may come out of
/// the library, and is expected.
void restore_objects(const std::filesystem::path& file, unsigned choice);

}  // namespace ckpt::fuzz
