// A checkpoint file in memory, to be damaged field by field and sealed again, as an attacker would. It is written from
// docs/format.md and uses nothing of the library, so that a mistake there is not repeated here.
#pragma once

#include <ckpt/metadata.hpp>

#include <support/files.hpp>

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ckpt::test {

/// Offsets in header, footer and records.
namespace at {
inline constexpr std::size_t kMajor = 8, kMinor = 10, kByteOrder = 12, kRequired = 16, kOptional = 24, kUuid = 32,
                             kHeaderReserved = 48, kHeaderSum = 56;
inline constexpr std::size_t kIndexOffset = 0, kIndexSize = 8, kRootSum = 16, kFileSize = 24, kFooterUuid = 32,
                             kFooterSum = 48, kFooterMagic = 56;
inline constexpr std::size_t kBlobOffset = 0, kBlobSize = 8, kDataSize = 16, kPathOffset = 24, kPathSize = 28,
                             kDimsOffset = 32, kFirstChunk = 36, kChunkCount = 40, kFirstFrame = 44, kAliasOf = 48,
                             kBlock = 52, kDType = 56, kRank = 58, kCodec = 59, kTensorReserved = 60, kTensorBytes = 64;
}  // namespace at

/// Fields of the table Index, in the order of the schema.
enum class Column : unsigned {
  checksum,
  chunk_size,
  small_alignment,
  large_alignment,
  tensors,
  paths,
  dims,
  chunk_sums,
  frame_sizes,
  blocks,
  text,
  metadata,
  nodes,
  edges,
  slots,
  files,
  boxes,
  path_table,
  counts
};

class FileImage {
 public:
  explicit FileImage(Bytes bytes) : bytes_{std::move(bytes)} {}
  explicit FileImage(const std::filesystem::path& path) : bytes_{read_file(path)} {}

  void store(const std::filesystem::path& path) const { write_file(path, bytes_); }
  Bytes& bytes() noexcept { return bytes_; }
  const Bytes& bytes() const noexcept { return bytes_; }
  std::size_t size() const noexcept { return bytes_.size(); }

  template <typename T>
  T get(std::size_t offset) const {
    if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) throw std::out_of_range("FileImage::get");
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof value);
    return value;
  }
  template <typename T>
  void set(std::size_t offset, T value) {
    if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) throw std::out_of_range("FileImage::set");
    std::memcpy(bytes_.data() + offset, &value, sizeof value);
  }

  std::size_t footer() const { return bytes_.size() - 64; }
  std::size_t index_offset() const { return get<std::uint64_t>(footer() + at::kIndexOffset); }
  std::size_t index_size() const { return get<std::uint64_t>(footer() + at::kIndexSize); }

  /// Where the field's value (for a vector, the pointer to it) is stored in the table, or 0 when the field is absent.
  std::size_t field(Column column) const {
    const std::size_t table = root();
    const std::size_t vtable = vtable_of(table);
    const std::size_t slot = 4 + 2 * static_cast<std::size_t>(column);
    if (slot + 2 > get<std::uint16_t>(vtable)) return 0;
    const std::uint16_t relative = get<std::uint16_t>(vtable + slot);
    return relative == 0 ? 0 : table + relative;
  }
  /// Where the vtable's entry for a field is.
  std::size_t vtable_entry(Column column) const { return vtable_of(root()) + 4 + 2 * static_cast<std::size_t>(column); }
  std::size_t root() const { return index_offset() + get<std::uint32_t>(index_offset()); }
  std::size_t vtable_of(std::size_t table) const {
    return static_cast<std::size_t>(static_cast<std::int64_t>(table) - get<std::int32_t>(table));
  }

  /// Where the count of a vector is; its elements follow.
  std::size_t vector(Column column) const {
    const std::size_t where = field(column);
    if (where == 0) throw std::out_of_range("FileImage: the column is absent");
    return where + get<std::uint32_t>(where);
  }
  std::uint32_t count(Column column) const { return field(column) == 0 ? 0 : get<std::uint32_t>(vector(column)); }
  /// Where the root table has the number of elements of a vector.
  std::size_t count_in_root(Column column) const {
    return field(Column::counts) + 4 * (static_cast<std::size_t>(column) - static_cast<std::size_t>(Column::tensors));
  }
  /// In both places.
  void set_count(Column column, std::uint32_t count) {
    set(count_in_root(column), count);
    set(vector(column), count);
  }
  std::size_t element(Column column, std::size_t index, std::size_t bytes) const {
    return vector(column) + 4 + index * bytes;
  }
  /// Offset of the record of a tensor.
  std::size_t tensor(std::size_t index) const { return element(Column::tensors, index, at::kTensorBytes); }
  std::string path_of(std::size_t index) const {
    const std::size_t record = tensor(index);
    const std::size_t start = element(Column::paths, get<std::uint32_t>(record + at::kPathOffset), 1);
    const std::size_t size = get<std::uint32_t>(record + at::kPathSize);
    if (start > bytes_.size() || bytes_.size() - start < size) throw std::out_of_range("FileImage::path_of");
    return {reinterpret_cast<const char*>(bytes_.data() + start), size};
  }
  std::size_t find(std::string_view path) const {
    for (std::size_t i = 0; i < count(Column::tensors); ++i) {
      if (path_of(i) == path) return i;
    }
    throw std::out_of_range("FileImage: no such tensor");
  }

  void seal_header() { set(at::kHeaderSum, sum(0, at::kHeaderSum)); }
  void seal_footer() { set(footer() + at::kFooterSum, sum(footer(), at::kFooterSum)); }

  /// The page sums and, through them, the footer.
  void seal_index() {
    std::size_t level = index_offset();
    std::size_t level_bytes = index_size();
    std::size_t next = level + level_bytes;
    do {
      std::size_t out = next;
      for (std::size_t page = 0; page < level_bytes; page += 4096, out += 8) {
        set(out, sum(level + page, std::min<std::size_t>(4096, level_bytes - page)));
      }
      level = next;
      level_bytes = out - next;
      next = out;
    } while (level_bytes > 4096);
    set(footer() + at::kRootSum, sum(level, level_bytes));
    seal_footer();
  }

  /// The sums of every chunk, from the records as they are now.
  void seal_data() {
    for (std::size_t i = 0; i < count(Column::tensors); ++i) {
      const std::size_t record = tensor(i);
      if (get<std::uint32_t>(record + at::kAliasOf) != 0xffffffffU) continue;
      seal_tensor(record, identity(i));
    }
  }

  void seal_all() {
    seal_data();
    seal_index();
    seal_header();
  }

  std::uint64_t sum(std::size_t offset, std::size_t size, std::uint64_t seed = 0) const {
    if (offset > bytes_.size() || bytes_.size() - offset < size) throw std::out_of_range("FileImage::sum");
    return XXH3_64bits_withSeed(bytes_.data() + offset, size, seed);
  }

 private:
  std::uint64_t identity(std::size_t index) const {
    const std::size_t record = tensor(index);
    Bytes name = to_bytes(path_of(index));
    name.push_back(std::byte{0});
    const auto put = [&](std::size_t offset, std::size_t size) {
      for (std::size_t i = 0; i < size; ++i) name.push_back(bytes_.at(offset + i));
    };
    put(record + at::kDType, 2);
    put(record + at::kRank, 1);
    const std::size_t rank = get<std::uint8_t>(record + at::kRank);
    if (rank != 0) put(element(Column::dims, get<std::uint32_t>(record + at::kDimsOffset), 8), rank * 8);
    put(record + at::kDataSize, 8);
    return XXH3_64bits(name.data(), name.size());
  }

  void seal_tensor(std::size_t record, std::uint64_t identity) {
    const bool framed = get<std::uint8_t>(record + at::kCodec) != 0;
    const std::size_t chunk_size = get<std::uint32_t>(field(Column::chunk_size));
    std::size_t offset = get<std::uint64_t>(record + at::kBlobOffset);
    std::size_t left = get<std::uint64_t>(record + at::kBlobSize);
    const std::uint32_t chunks = get<std::uint32_t>(record + at::kChunkCount);
    for (std::uint32_t k = 0; k < chunks; ++k) {
      std::size_t size = std::min(left, chunk_size);
      if (framed) {
        size = get<std::uint32_t>(element(Column::frame_sizes, get<std::uint32_t>(record + at::kFirstFrame) + k, 4));
      }
      set(element(Column::chunk_sums, get<std::uint32_t>(record + at::kFirstChunk) + k, 8),
          sum(offset, size, identity + k));
      offset += size;
      left -= std::min(left, size);
    }
  }

  Bytes bytes_;
};

}  // namespace ckpt::test
