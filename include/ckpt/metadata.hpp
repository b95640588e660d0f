// Typed key/value pairs beside the tensors of a checkpoint.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace ckpt {

/// Text that is JSON. The library stores it as it is and does not parse it.
struct Json {
  std::string text;
  friend bool operator==(const Json&, const Json&) = default;
};

using Bytes = std::vector<std::byte>;

using MetadataValue = std::variant<std::string, std::int64_t, double, Bytes, Json>;

/// Keys are UTF-8 without control characters, at most kMaxPathBytes long, sorted bytewise. Those that begin with
/// "ckpt." are the library's own: "ckpt.created" (int, nanoseconds since 1970 UTC), "ckpt.writer" (string), "ckpt.step"
/// (int), "ckpt.metric.<name>" (float).
using Metadata = std::map<std::string, MetadataValue, std::less<>>;

}  // namespace ckpt
