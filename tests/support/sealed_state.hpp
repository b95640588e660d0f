// State files of managers with a right checksum around any content.
#pragma once

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

#include <cinttypes>
#include <cstdio>
#include <string>

namespace ckpt::test {

inline std::string sealed(const std::string& body) {
  char line[64];
  std::snprintf(line, sizeof line, "checksum %016" PRIx64 "\n", XXH3_64bits(body.data(), body.size()));
  return body + line;
}

}  // namespace ckpt::test
