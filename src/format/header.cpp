#include "format/header.hpp"

#include "base/checked.hpp"
#include "base/text.hpp"
#include "format/little_endian.hpp"
#include "format/page_sums.hpp"

#include <ckpt/error.hpp>
#include <ckpt/limits.hpp>

#include <algorithm>
#include <string>

namespace ckpt::format {
namespace {

constexpr std::size_t kHeaderSum = 56;
constexpr std::size_t kFooterSum = 48;
constexpr std::size_t kFooterMagicOffset = 56;
constexpr const char* kUseAnother = "the file is damaged: use another checkpoint";

void put_magic(std::span<std::byte> bytes, const std::array<unsigned char, 8>& magic) {
  std::ranges::copy(std::as_bytes(std::span{magic}), bytes.begin());
}

Uuid uuid_at(std::span<const std::byte> bytes, std::size_t offset) {
  Uuid uuid;
  std::ranges::copy(bytes.subspan(offset, uuid.size()), uuid.begin());
  return uuid;
}

[[noreturn]] void corrupt(std::string problem, std::uint64_t offset, std::string expected = {},
                          std::string found = {}) {
  throw Error{ErrorCode::corrupt,
              {.problem = std::move(problem),
               .offset = offset,
               .expected = std::move(expected),
               .found = std::move(found),
               .advice = kUseAnother}};
}

Footer footer_in(std::span<const std::byte, kFooterBytes> bytes) {
  return {.index_offset = load<std::uint64_t>(bytes, 0),
          .index_size = load<std::uint64_t>(bytes, 8),
          .sums_root = load<std::uint64_t>(bytes, 16),
          .file_size = load<std::uint64_t>(bytes, 24),
          .uuid = uuid_at(bytes, 32)};
}

// Whether these are the last bytes of what was written: a file of `size` bytes that begins with `header`.
bool is_end_of(const Header& header, std::uint64_t size, std::span<const std::byte, kFooterBytes> bytes, Hash hash) {
  if (!is_footer(bytes) || load<std::uint64_t>(bytes, kFooterSum) != hash(bytes.first<kFooterSum>(), 0)) return false;
  const Footer footer = footer_in(bytes);
  return footer.file_size == size && footer.uuid == header.uuid;
}

// What the bits mean, for a message that says what this version lacks.
std::string names_of(std::uint64_t features) {
  std::string names;
  const auto add = [&](std::uint64_t bit, const char* name) {
    if ((features & bit) == 0) return;
    names += (names.empty() ? "" : ", ") + std::string{name};
    features &= ~bit;
  };
  add(kFeatureExternalFiles, "blobs in other files");
  add(kFeatureBoxes, "sharded tensors");
  if (features != 0) names += (names.empty() ? "bits " : ", bits ") + base::hex(features);
  return names;
}

void check_version(const Header& header) {
  if (header.major != kMajor) {
    throw Error{header.major == 0 ? ErrorCode::corrupt : ErrorCode::unsupported,
                {.problem = "format version " + std::to_string(header.major) + "." + std::to_string(header.minor),
                 .offset = 8,
                 .expected = "major version " + std::to_string(kMajor),
                 .advice = "a newer version of ckpt can read it"}};
  }
  if (const std::uint64_t unknown = header.required_features & ~kKnownRequired; unknown != 0) {
    throw Error{ErrorCode::unsupported,
                {.problem = "the file needs features that this version lacks: " + names_of(unknown),
                 .offset = 16,
                 .advice = "a newer version of ckpt can read it"}};
  }
}

}  // namespace

HeaderBytes encode(const Header& header, Hash hash) {
  HeaderBytes bytes{};
  put_magic(bytes, kHeaderMagic);
  store(bytes, 8, header.major);
  store(bytes, 10, header.minor);
  store(bytes, 12, kByteOrderMark);
  store(bytes, 16, header.required_features);
  store(bytes, 24, header.optional_features);
  std::ranges::copy(header.uuid, bytes.begin() + 32);
  store(bytes, kHeaderSum, hash(std::span{bytes}.first(kHeaderSum), 0));
  return bytes;
}

FooterBytes encode(const Footer& footer, Hash hash) {
  FooterBytes bytes{};
  store(bytes, 0, footer.index_offset);
  store(bytes, 8, footer.index_size);
  store(bytes, 16, footer.sums_root);
  store(bytes, 24, footer.file_size);
  std::ranges::copy(footer.uuid, bytes.begin() + 32);
  store(bytes, kFooterSum, hash(std::span{bytes}.first(kFooterSum), 0));
  put_magic(std::span{bytes}.subspan(kFooterMagicOffset), kFooterMagic);
  return bytes;
}

void require_magic(std::span<const std::byte> beginning) {
  const auto magic = std::as_bytes(std::span{kHeaderMagic});
  const std::size_t size = std::min(beginning.size(), magic.size());
  if (std::ranges::equal(beginning.first(size), magic.first(size))) return;
  throw Error{ErrorCode::corrupt,
              {.problem = "not a checkpoint file: it does not begin with the magic bytes",
               .offset = 0,
               .advice = "check the path: the file is of another kind, or its beginning was written over"}};
}

Header decode_header(std::span<const std::byte, kHeaderBytes> bytes, Hash hash) {
  require_magic(bytes);
  const auto mark = load<std::uint32_t>(bytes, 12);
  if (mark == __builtin_bswap32(kByteOrderMark)) {
    throw Error{ErrorCode::unsupported,
                {.problem = "the file has the wrong endianness",
                 .offset = 12,
                 .expected = "little-endian numbers",
                 .found = "big-endian ones",
                 .advice = "write it again on a little-endian machine"}};
  }
  const auto sum = load<std::uint64_t>(bytes, kHeaderSum);
  const std::uint64_t actual = hash(bytes.first<kHeaderSum>(), 0);
  if (sum != actual) corrupt("damaged header", 0, "xxh3 " + base::hex16(sum), "xxh3 " + base::hex16(actual));
  if (mark != kByteOrderMark) corrupt("bad byte order mark", 12, base::hex(kByteOrderMark), base::hex(mark));
  const Header header{.major = load<std::uint16_t>(bytes, 8),
                      .minor = load<std::uint16_t>(bytes, 10),
                      .required_features = load<std::uint64_t>(bytes, 16),
                      .optional_features = load<std::uint64_t>(bytes, 24),
                      .uuid = uuid_at(bytes, 32)};
  check_version(header);
  if (load<std::uint64_t>(bytes, 48) != 0) {
    corrupt("reserved bytes of the header are not zero", 48, "0", base::hex(load<std::uint64_t>(bytes, 48)));
  }
  return header;
}

Footer decode_footer(std::span<const std::byte, kFooterBytes> bytes, std::uint64_t file_size, const Header& header,
                     Hash hash) {
  const std::uint64_t start = file_size - kFooterBytes;
  const auto sum = load<std::uint64_t>(bytes, kFooterSum);
  const std::uint64_t actual = hash(bytes.first<kFooterSum>(), 0);
  if (sum != actual) corrupt("damaged footer", start, "xxh3 " + base::hex16(sum), "xxh3 " + base::hex16(actual));
  const Footer footer = footer_in(bytes);
  if (footer.file_size != file_size) {
    corrupt("the file has another size than was written", start + 24, std::to_string(footer.file_size) + " bytes",
            std::to_string(file_size));
  }
  if (footer.uuid != header.uuid) {
    corrupt("header and footer are of different files", start + 32, to_string(header.uuid), to_string(footer.uuid));
  }
  if (footer.index_size > kMaxIndexBytes) {
    throw Error{ErrorCode::limit,
                {.problem = "the index is too large",
                 .offset = start + 8,
                 .expected = "at most " + std::to_string(kMaxIndexBytes) + " bytes (kMaxIndexBytes)",
                 .found = std::to_string(footer.index_size),
                 .advice = kUseAnother}};
  }
  const bool aligned = footer.index_offset % kIndexAlignment == 0 && footer.index_size % 8 == 0;
  const auto end =
      base::Checked{footer.index_offset} + footer.index_size + sums_bytes(footer.index_size) + kFooterBytes;
  if (!aligned || footer.index_size < 8 || footer.index_offset < kHeaderBytes || end.get() != file_size) {
    corrupt("the index does not lie where header and footer leave room for it", start,
            "an aligned index that ends at the page sums",
            "offset " + base::hex(footer.index_offset) + ", " + std::to_string(footer.index_size) + " bytes");
  }
  return footer;
}

bool is_footer(std::span<const std::byte, kFooterBytes> bytes) noexcept {
  return std::ranges::equal(bytes.last<8>(), std::as_bytes(std::span{kFooterMagic}));
}

void refuse_end(std::span<const std::byte> tail, std::uint64_t file_size, const Header& header, Hash hash) {
  for (std::size_t surplus = 1; surplus + kFooterBytes <= tail.size(); ++surplus) {
    const std::uint64_t size = file_size - surplus;
    const auto bytes = tail.last(surplus + kFooterBytes).first<kFooterBytes>();
    if (!is_end_of(header, size, bytes, hash)) continue;
    throw Error{ErrorCode::corrupt,
                {.problem = "the file goes on after its end",
                 .offset = size,
                 .expected = std::to_string(size) + " bytes",
                 .found = std::to_string(file_size),
                 .advice = "something was appended to it: cut that off (truncate --size=" + std::to_string(size) +
                           "), or use another checkpoint"}};
  }
  const auto last = tail.last<kFooterBytes>();
  if (const Footer footer = footer_in(last); footer.file_size == file_size && footer.uuid == header.uuid) {
    corrupt("damaged footer: its magic bytes are wrong", file_size - kFooterBytes + kFooterMagicOffset);
  }
  throw Error{ErrorCode::corrupt,
              {.problem = "incomplete write: the file does not end with a footer",
               .offset = file_size - kFooterBytes,
               .advice = "it was cut off or never finished: use another checkpoint"}};
}

// No wrap: decode_footer() found that this and more ends with the file.
std::uint64_t sums_offset(const Footer& footer) noexcept { return footer.index_offset + footer.index_size; }

}  // namespace ckpt::format
