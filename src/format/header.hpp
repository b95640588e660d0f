// The two ends of a file: header and footer. layout.hpp shows their bytes.
#pragma once

#include "format/hash.hpp"
#include "format/layout.hpp"

#include <ckpt/uuid.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ckpt::format {

struct Header {
  std::uint16_t major = kMajor;
  std::uint16_t minor = kMinor;
  std::uint64_t required_features = 0;
  std::uint64_t optional_features = 0;
  Uuid uuid{};
};

struct Footer {
  std::uint64_t index_offset = 0;
  std::uint64_t index_size = 0;
  std::uint64_t sums_root = 0;
  std::uint64_t file_size = 0;
  Uuid uuid{};
};

using HeaderBytes = std::array<std::byte, kHeaderBytes>;
using FooterBytes = std::array<std::byte, kFooterBytes>;

HeaderBytes encode(const Header& header, Hash hash);
FooterBytes encode(const Footer& footer, Hash hash);

/// Throws corrupt when a file of that beginning, all of it if it has less than 8 bytes, is of another kind.
void require_magic(std::span<const std::byte> beginning);

/// Throws corrupt when this is no checkpoint or the header is damaged; unsupported, naming what it lacks, for another
/// byte order, a newer major version or an unknown required feature.
Header decode_header(std::span<const std::byte, kHeaderBytes> bytes, Hash hash);

/// The footer (is_footer) of a file of `file_size` bytes that begins with `header`. Throws corrupt when it is damaged,
/// or when header, footer and size do not belong together; limit for too large an index.
Footer decode_footer(std::span<const std::byte, kFooterBytes> bytes, std::uint64_t file_size, const Header& header,
                     Hash hash);

/// Whether there is a footer, whole or damaged.
bool is_footer(std::span<const std::byte, kFooterBytes> bytes) noexcept;

/// Throws corrupt, for a file that does not end in a footer: it goes on behind the one that lies in `tail`, its last
/// bytes, or was not written to its end.
[[noreturn]] void refuse_end(std::span<const std::byte> tail, std::uint64_t file_size, const Header& header, Hash hash);

/// Offset of the page sums, which is the end of the index.
std::uint64_t sums_offset(const Footer& footer) noexcept;

}  // namespace ckpt::format
