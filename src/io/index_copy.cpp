#include "io/index_copy.hpp"

#include "codec/xxh3.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <string>

namespace ckpt::io {
namespace {

void require_size(std::uint64_t expected, std::uint64_t found) {
  if (found == expected) return;
  throw Error{ErrorCode::corrupt,
              {.problem = found < expected ? "the file ends early" : "the file goes on behind its end",
               .offset = std::min(expected, found),
               .expected = std::to_string(expected) + " bytes, as when it was opened",
               .found = std::to_string(found),
               .advice = "something changed it in place: use another copy"}};
}

}  // namespace

IndexCopy::IndexCopy(const Source& file, const format::Footer& footer) {
  require_size(footer.file_size, file.size_now());
  std::vector<std::byte> scratch;
  const auto header =
      format::decode_header(file.bytes(0, format::kHeaderBytes, scratch).first<format::kHeaderBytes>(), codec::xxh3);
  const std::uint64_t end = footer.file_size - format::kFooterBytes;  // No wrap: the footer lies within the file
  const auto last = file.bytes(end, format::kFooterBytes, scratch).first<format::kFooterBytes>();
  if (!format::is_footer(last)) format::refuse_end(last, footer.file_size, header, codec::xxh3);
  format::decode_footer(last, footer.file_size, header, codec::xxh3);
  const auto size = static_cast<std::size_t>(footer.index_size);
  const std::uint64_t all = end - footer.index_offset;  // No wrap: the index ends before the footer
  const auto both = file.bytes(footer.index_offset, static_cast<std::size_t>(all), memory_);
  view_.emplace(both.first(size), both.subspan(size), header, footer, codec::xxh3, format::ReadAt{});
}

}  // namespace ckpt::io
