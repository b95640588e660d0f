// Opening a checkpoint file and using its tensors where they lie.
#pragma once

#include <ckpt/error.hpp>
#include <ckpt/metadata.hpp>
#include <ckpt/object_graph.hpp>
#include <ckpt/tensor.hpp>
#include <ckpt/uuid.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace ckpt {

/// How bytes reach the program.
enum class ReadMode : std::uint8_t {
  automatic,  ///< mmap on local file systems, read on network ones
  mmap,       ///< one shared mapping: nothing is read before it is used, and all processes share it
  read,       ///< explicit reads into memory of the library or the caller; much at once, from a local file that the
              ///< process may write, past the page cache where that does not have the data
};

// What a mapping cannot promise: a page of it that cannot be read ends the process with a signal (SIGBUS) when it is
// touched, by the program or by the library. That is a page that lies behind the end of a file which somebody cut off
// in place, or one at which the device fails. In ReadMode::read, Reader::prefault, Reader::verify and Reader::graph,
// both are exceptions; so is data that cannot be read where the library copies or checks it, unless that happens right
// then. Copies that were made stay what they are. Saving to the path of a mapped file, or removing it, is safe.

/// When the sums of tensor data are checked. The index is always checked, page by page, before it is believed.
enum class Verify : std::uint8_t {
  none,  ///< never
  lazy,  ///< a tensor each time that it is bound
  full,  ///< everything, padding included, at open
};

struct ReaderOptions {
  ReadMode mode = ReadMode::automatic;
  Verify verify = Verify::none;
  bool copy_on_write = false;  ///< also make private_mapping(); needs mmap mode
  /// That read, check and decompress, at most 256; 0: one per core that the calling thread may run on, and 12 or so to
  /// wait for a disk.
  unsigned threads = 0;
};

/// How a tensor's bytes are stored; the values are those of the file format.
enum class Compression : std::uint8_t {
  none = 0,
  zstd = 1,  ///< every chunk is split into byte planes, and those that shrink are zstd frames
};

/// What the index says of one tensor.
struct TensorInfo {
  std::string_view path;  ///< lives as long as any copy of the Reader
  DType dtype{};
  Shape shape;
  std::uint64_t size_bytes = 0;    ///< of the data
  std::uint64_t stored_bytes = 0;  ///< in the file, after compression
  std::uint64_t offset = 0;        ///< of the blob in the file
  Compression compression = Compression::none;
  std::uint32_t chunks = 0;                  ///< units of checksum and compression
  std::optional<std::size_t> alias_of = {};  ///< index of the tensor whose blob this one shares
  std::optional<BlockType> block = {};       ///< for DType::block
};

/// What header, footer and index say of the file as a whole.
struct FileInfo {
  std::uint16_t major = 0;
  std::uint16_t minor = 0;
  Uuid uuid{};
  std::uint64_t required_features = 0;
  std::uint64_t optional_features = 0;
  std::uint64_t file_size = 0;
  std::uint64_t index_offset = 0;
  std::uint64_t index_size = 0;
  std::uint64_t sums_size = 0;  ///< bytes of page sums, which follow the index
  std::uint32_t chunk_bytes = 0;
  std::uint32_t small_alignment = 0;
  std::uint32_t large_alignment = 0;
  ReadMode mode{};  ///< mmap or read: what `automatic` chose
};

/// A tensor, and memory of exactly its size in bytes.
struct ReadRequest {
  std::size_t index = 0;
  std::span<std::byte> destination;
};

struct VerifyOptions {
  unsigned threads = 0;  ///< at most 256; 0: one per core, as above
  /// Called from the verifying threads, one call at a time, with bytes done and in total.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};
};

struct VerifyReport {
  std::size_t tensors = 0;          ///< in the file, aliases included
  std::uint64_t bytes = 0;          ///< of the file that were read and checked
  std::vector<Error> problems;      ///< in file order, at most 10,000; empty when the file is whole
  std::size_t damaged_tensors = 0;  ///< named by problems, also beyond 10,000, or without a legible name
  bool ok() const noexcept { return problems.empty(); }
};

/// An open checkpoint file. A cheap handle: copies share one immutable state, which any number of threads may use.
/// Opening reads the header, the footer and a few pages of the index, whatever the size of the file; in ReadMode::read,
/// the whole index. A Reader keeps a descriptor of the file until its last copy is gone, and a second one once it has
/// read past the page cache; views keep none. After fork() the child may use its copy, too, unless another thread was
/// in a call at that moment.
class Reader {
 public:
  /// Throws not_found, io, corrupt (damaged, truncated, no checkpoint), unsupported (a newer major version, an unknown
  /// required feature), limit, or invalid_argument (the path is a directory or another thing that is no regular file;
  /// copy_on_write without a mapping).
  static Reader open(const std::filesystem::path& path, const ReaderOptions& options = {});

  Reader(const Reader&) = default;  // also what a move does, so no Reader is ever empty
  Reader& operator=(const Reader&) = default;
  ~Reader() = default;

  const std::filesystem::path& path() const noexcept;
  FileInfo file() const noexcept;

  /// Number of tensors, aliases included.
  std::size_t size() const noexcept;

  /// The record at `index` < size(), in bytewise order of paths. Throws corrupt when the record or its index page is
  /// damaged, invalid_argument when the index is out of range.
  TensorInfo info(std::size_t index) const;

  /// Index of the tensor with that path. Paths are looked up among the tensors first (by their hash), then along the
  /// edges of the object graph, so a shared object is found under each of its paths. Throws corrupt when a page it
  /// needs is damaged.
  std::optional<std::size_t> find(std::string_view path) const;
  bool contains(std::string_view path) const { return find(path).has_value(); }

  /// A tensor's bytes. Uncompressed and in mmap mode this is a pointer into the mapping; otherwise the bytes are read
  /// or decompressed into memory that the view owns. Throws not_found (naming the nearest path), corrupt, io.
  TensorView tensor(std::string_view path) const;
  TensorView tensor(std::size_t index) const;

  /// The same for many tensors, with all threads: what has to be read, checked or decompressed is shared out among
  /// them, and aliases share one memory. Throws corrupt, too, when the tensors claim more bytes than the file has.
  std::vector<TensorView> tensors(std::span<const std::size_t> indices) const;

  /// Reads a tensor into the caller's memory of exactly its size in bytes, checking sums unless Verify::none.
  /// Throws as tensor(), and invalid_argument when the size differs.
  void read_into(std::size_t index, std::span<std::byte> destination) const;

  /// The same for many tensors, with all threads, which is the fastest way to load a whole file: it goes through the
  /// file once, in the order of the file. When it throws, the destinations hold anything.
  void read_into(std::span<const ReadRequest> requests) const;

  /// Has the stored data of tensors in memory when it returns, with all threads, so that using them does not wait for
  /// the device. The system may drop it again when it needs memory. What cannot be read, because the device fails or
  /// the file was cut off, is an error here, where touching it would be a signal. Reads the whole index each time, so
  /// ask for many at once. Does nothing in ReadMode::read, where binding reads. Throws io, corrupt, and
  /// invalid_argument as info().
  void prefault(std::size_t index) const;
  void prefault(std::span<const std::size_t> indices) const;

  /// Checks the sums of one tensor's data. Throws corrupt, io.
  void verify_tensor(std::size_t index) const;

  /// Reads and checks every byte of the file: index, data, padding, overlaps. Damage is reported, not thrown. It reads
  /// explicitly, whatever the mode, so a device that fails, a file that was cut off, and one that something was added
  /// to since it was opened, are errors and no signals.
  VerifyReport verify(const VerifyOptions& options = {}) const;

  /// All metadata, copied. Throws corrupt.
  Metadata metadata() const;

  /// The object graph, copied; empty when the file holds none (it was written by a plain Writer). Has the whole index
  /// in memory first. Throws corrupt, io.
  ObjectGraph graph() const;

  /// The private, writable mapping of the whole file that ReaderOptions::copy_on_write asked for; it shares ownership.
  /// Writes to it change this process's memory only. Throws invalid_argument without that option.
  std::shared_ptr<std::byte> private_mapping() const;

 private:
  class Impl;
  explicit Reader(std::shared_ptr<const Impl> impl) : impl_{std::move(impl)} {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace ckpt
