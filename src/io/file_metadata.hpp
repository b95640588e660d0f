// The metadata of a file that is being written: the caller's, and the library's own, whose keys begin with "ckpt.".
#pragma once

#include <ckpt/metadata.hpp>
#include <ckpt/writer.hpp>

#include <cstdint>
#include <string_view>

namespace ckpt::io {

class FileMetadata {
 public:
  /// With step and metrics. Throws invalid_argument for a metric that cannot have its name, limit for too many.
  explicit FileMetadata(const WriterOptions& options);

  /// Replaces what the key had. Throws invalid_argument for a key or text that is not allowed, limit.
  void set(std::string_view key, MetadataValue value);

  /// All of it, with the time of creation.
  const Metadata& finish(std::int64_t created_ns);

 private:
  Metadata values_;
  std::uint64_t bytes_ = 0;  // of keys and values
};

}  // namespace ckpt::io
