// Opening what the user named, and saying what it is when it is no checkpoint.
#pragma once

#include "context.hpp"

#include <ckpt/reader.hpp>

#include <string>

namespace ckptdump {

/// Opens a checkpoint. Beyond the errors of ckpt::Reader::open: a directory is invalid_argument (naming its newest
/// checkpoint), another known format is unsupported (naming it), and a missing file suggests one that is there.
ckpt::Reader open_checkpoint(const std::string& file, const ckpt::ReaderOptions& options = {});

/// For commands about a directory of checkpoints. Throws not_found, or invalid_argument when it is none (saying what it
/// is), or when there are patterns, which select tensors.
void require_directory(const Context& context, const std::string& directory);

}  // namespace ckptdump
