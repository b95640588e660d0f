// Writing a checkpoint file: all of it appears under its name, or nothing does.
#pragma once

#include <ckpt/metadata.hpp>
#include <ckpt/object_graph.hpp>
#include <ckpt/reader.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ckpt {

/// A measurement that says how good a state is, such as a loss. It may be NaN.
struct Metric {
  std::string name = {};
  double value = 0;
};

struct WriterOptions {
  /// fsync the file and its directory before commit() returns. Without it a crash of the machine may lose the new file
  /// or, on some file systems, leave it empty; a crash of the process does no harm.
  bool durable = true;
  /// Whether commit() may replace an existing file; if not, it throws already_exists and leaves that file alone.
  bool replace = true;
  /// Default for tensors. A tensor that compression would not shrink by 5 %, by a sample of it, is stored plain.
  Compression compression = Compression::none;
  /// zstd's, -7 to 22, for what has repetitions. Exponents of weights have none, and are coded alike at each level.
  int compression_level = 1;
  /// That compute checksums and compress; 256 are used at most; 0: one per core that the calling thread may run on.
  /// Each that compresses takes the memory of five chunks (and, where `ulimit -v` counts it, some 72 MiB of address
  /// space), and up to eight, 128 MiB for all, are for tensors that add() keeps while others are compressed. At most 8
  /// compute checksums of a durable file; up to 12 more wait for the disk, with 24 MiB between them all. Where there is
  /// not so much memory, fewer compress, less is kept, and 2 MiB do for the disk; that, and what one who compresses
  /// needs, is set aside at first.
  unsigned threads = 0;
  /// Bytes: powers of two, kMinAlignment to kMaxAlignment. Blobs of `large_alignment` bytes or more start on it.
  std::uint32_t small_alignment = kDefaultSmallAlignment;
  std::uint32_t large_alignment = kDefaultLargeAlignment;
  /// Power of two, kMinChunkBytes to kMaxChunkBytes. Those of more than a MiB are summed up by one thread where the
  /// file is durable.
  std::uint32_t chunk_bytes = kDefaultChunkBytes;
  /// Bytes to allocate on disk at once, when the caller knows about how many will come: a full disk, and more than a
  /// file can have, are then found early. Leave it 0 when compressing: too much takes time.
  std::uint64_t expected_bytes = 0;
  /// Fix these two for reproducible bytes; otherwise a random one and the time of commit.
  std::optional<Uuid> uuid = {};
  std::optional<std::int64_t> created_ns = {};  ///< nanoseconds since 1970 UTC
  std::optional<std::int64_t> step = {};        ///< stored as "ckpt.step"
  /// Stored as "ckpt.metric.<name>"; a manager can keep the best. Names as keys of metadata; of equal ones the last
  /// counts.
  std::vector<Metric> metrics = {};
};

struct TensorOptions {
  std::optional<Compression> compression = {};  ///< otherwise the writer's
  std::optional<BlockType> block = {};          ///< required for DType::block, refused for others
};

/// Writes one checkpoint as a stream into a temporary file beside `path`, so files may be larger than memory. One
/// owner, one thread at a time. After an exception from any call the temporary is gone, the old file is untouched, and
/// every later call but the destructor throws invalid_argument: start again with a new Writer. The same goes for a
/// child that was forked meanwhile, whose calls and destructor leave the temporary of its parent alone.
///
/// A path is UTF-8 names joined by '/'; no name is empty, "." or "..", and none has control characters.
class Writer {
 public:
  /// Creates the temporary file. Throws not_found when the directory is missing, io, invalid_argument for bad options
  /// or when there is something at `path` that is neither a file nor a symbolic link: a directory, device, pipe or
  /// socket. commit() replaces a link itself, and leaves alone what it leads to.
  explicit Writer(std::filesystem::path path, WriterOptions options = {});
  /// Without commit() the temporary file is removed and nothing appears.
  ~Writer();
  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) noexcept;

  /// Adds a whole tensor; `data` may be reused as soon as this returns. What is to be compressed may be written later,
  /// and its io and limit come from a later call, commit() at last. Throws already_exists for a second tensor of
  /// that path, invalid_argument when the size of `data` does not fit dtype and shape or the values are none of that
  /// dtype (a bool that is neither 0 nor 1; string and bytes that are not as encode_strings makes them; string that is
  /// not UTF-8), limit, io.
  void add(std::string_view path, DType dtype, const Shape& shape, std::span<const std::byte> data,
           const TensorOptions& options = {});

  template <Element T>
  void add(std::string_view path, const Shape& shape, std::span<const T> data, const TensorOptions& options = {}) {
    add(path, dtype_of<T>, shape, std::as_bytes(data), options);
  }

  /// Adds a tensor in pieces: begin, any number of append, end. `size_bytes` is needed for string, bytes and dtypes
  /// unknown to this version only. end() throws invalid_argument when bytes are missing, append when there are too
  /// many or the values are none of that dtype. For string it keeps 8 bytes of memory an element until end(). Whether
  /// such a tensor is compressed is decided by what comes first: a chunk, or all that the first append() has.
  void begin(std::string_view path, DType dtype, const Shape& shape, const TensorOptions& options = {},
             std::optional<std::uint64_t> size_bytes = std::nullopt);
  void append(std::span<const std::byte> data);
  void end();

  /// A second path for a tensor that was added: they share one blob (tied weights). Throws not_found, already_exists;
  /// as add().
  void alias(std::string_view path, std::string_view existing);

  /// Throws invalid_argument for a key that begins with "ckpt." or is no valid key; a later value for a key replaces
  /// the former.
  void set_metadata(std::string_view key, MetadataValue value);

  /// Throws invalid_argument when an edge or slot leaves the graph, names repeat, or a node names a tensor that
  /// commit() does not find among those added.
  void set_graph(ObjectGraph graph);

  /// Writes index and footer, makes them durable, and renames the file to its name. When it returns, the checkpoint is
  /// there. Throws io (the old file is untouched, unless the message says that the new one is in its place),
  /// already_exists.
  void commit();

 private:
  class Impl;
  Impl& impl();  // throws invalid_argument when moved from

  std::unique_ptr<Impl> impl_;
};

}  // namespace ckpt
