#include "io/prefault.hpp"

#include "base/parallel.hpp"
#include "io/index_copy.hpp"
#include "io/transfer.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace ckpt::io {
namespace {

struct Range {
  std::uint64_t offset;
  std::uint64_t size;
};

struct Piece {
  std::uint64_t offset;
  std::size_t size;
};

void add_pieces(std::vector<Piece>& pieces, std::uint64_t offset, std::uint64_t size) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{4} << 20U;
  for (std::uint64_t done = 0; done < size; done += kMostBytes) {
    // No wrap: the range lies within the file.
    pieces.push_back({offset + done, static_cast<std::size_t>(std::min(kMostBytes, size - done))});
  }
}

// In order, and each byte once: files may say that many tensors have the same.
std::vector<Piece> merged(std::vector<Range> ranges) {
  std::ranges::sort(ranges, {}, &Range::offset);
  std::vector<Piece> pieces;
  std::uint64_t done = 0;  // up to here
  for (const auto& [offset, size] : ranges) {
    const std::uint64_t begin = std::max(offset, done);
    const std::uint64_t end = offset + size;  // No wrap: the range lies within the file
    if (end <= begin) continue;
    add_pieces(pieces, begin, end - begin);
    done = end;
  }
  return pieces;
}

void load(const Source& source, std::span<const Piece> pieces, unsigned threads) {
  base::deal_out(pieces.size(), pieces.size() > 1 ? threads_that_read(threads) : 1, [&] {
    return [&, scratch = std::vector<std::byte>{}](std::size_t i) mutable {
      source.prefault(pieces[i].offset, pieces[i].size, scratch);
    };
  });
}

}  // namespace

void prefault_index(const Source& source, const format::Footer& footer, unsigned threads) {
  if (!source.is_mapped()) return;
  std::vector<Piece> pieces;
  add_pieces(pieces, footer.index_offset, footer.file_size - footer.index_offset);  // No wrap: as above
  load(source, pieces, threads);
}

void prefault(const Source& source, const format::Footer& footer, std::span<const std::size_t> indices,
              unsigned threads) {
  prefault_index(source, footer, threads);
  // Where the data lies, a copy of the index says: the mapped one may end at any moment.
  const auto file = source.unmapped();
  const IndexCopy copy{*file, footer};
  std::vector<Range> data;
  data.reserve(indices.size());
  for (const std::size_t index : indices) {
    const format::TensorRecord record = copy.view().tensor(index);
    data.push_back({record.blob_offset, record.blob_size});
  }
  load(source, merged(std::move(data)), threads);
}

}  // namespace ckpt::io
