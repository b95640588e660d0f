#include "base/parallel.hpp"
#include "base/path.hpp"
#include "codec/xxh3.hpp"
#include "codec/zstd.hpp"
#include "format/header.hpp"
#include "format/index_builder.hpp"
#include "format/page_sums.hpp"
#include "io/file_metadata.hpp"
#include "io/graph_check.hpp"
#include "io/located.hpp"
#include "io/tensor_queue.hpp"
#include "io/tensor_writer.hpp"
#include "io/value_check.hpp"
#include "os/process.hpp"
#include "os/replacement_file.hpp"

#include <ckpt/error.hpp>
#include <ckpt/writer.hpp>

#include <chrono>
#include <utility>

namespace ckpt {
namespace {

[[noreturn]] void refuse(std::string problem, std::string_view object = {}, std::string advice = {}) {
  throw Error{ErrorCode::invalid_argument,
              {.problem = std::move(problem), .object = std::string{object}, .advice = std::move(advice)}};
}

// Version 4: random.
Uuid random_uuid() {
  Uuid uuid;
  os::fill_random(uuid);
  uuid[6] = (uuid[6] & std::byte{0x0f}) | std::byte{0x40};
  uuid[8] = (uuid[8] & std::byte{0x3f}) | std::byte{0x80};
  return uuid;
}

std::int64_t now_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

void require_known(Compression compression) {
  if (compression != Compression::none && compression != Compression::zstd) refuse("unknown compression");
}

format::Geometry geometry_of(const WriterOptions& options) {
  return {options.chunk_bytes, options.small_alignment, options.large_alignment};
}

WriterOptions checked(WriterOptions options) {
  if (auto wrong = format::why_not_a_geometry(geometry_of(options))) {
    wrong->advice = "set it in WriterOptions";
    throw Error{ErrorCode::invalid_argument, *std::move(wrong)};
  }
  require_known(options.compression);
  codec::require_zstd_level(options.compression_level);
  return options;
}

}  // namespace

class Writer::Impl {
 public:
  Impl(std::filesystem::path path, WriterOptions options)
      : path_{std::move(path)},
        options_{checked(std::move(options))},
        threads_{base::thread_count(options_.threads)},
        geometry_{geometry_of(options_)},
        index_{geometry_, codec::xxh3},
        metadata_{options_},
        file_{std::make_unique<os::ReplacementFile>(
            path_,
            os::ReplacementFile::Options{
                .durable = options_.durable, .expected_bytes = options_.expected_bytes, .cores = threads_})},
        queue_{std::make_unique<io::TensorQueue>(threads_, options_.compression_level, options_.chunk_bytes)} {
    file_->append_zeros(format::kHeaderBytes);  // written over at the end, when the features are known
  }

  ~Impl() {
    if (os::process_id() == process_) return;
    // In a forked child its threads are not there, and may have been changing what it has.
    [[maybe_unused]] const io::TensorQueue* leaked = queue_.release();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // Runs a step; after one that failed the temporary file is gone, and the next calls say so.
  template <typename Action>
  void step(Action&& action) {
    if (is_inherited()) {
      refuse("the process was forked, and this writer is its parent's", path_.native(),
             "make a Writer in the process that uses it");
    }
    if (!file_) refuse("this writer has committed or failed before", path_.native(), "start again with a new Writer");
    try {
      io::located(path_, std::forward<Action>(action));
    } catch (...) {
      queue_.reset();  // before what it works on
      values_.reset();
      tensor_.reset();
      file_.reset();
      throw;
    }
  }

  void begin(std::string_view path, DType dtype, const Shape& shape, const TensorOptions& options,
             std::optional<std::uint64_t> size_bytes) {
    const std::uint64_t size = checked_size(path, dtype, shape, options, size_bytes);
    block_ = options.block;
    tensor_.emplace(*file_, geometry_, pipeline(options), std::string{path}, dtype, shape, size);
    if (tensor_->is_stored()) queue_->finish(index_);  // else it comes behind those that wait
    values_.emplace(tensor_->path(), dtype, shape, size);
  }

  void append(std::span<const std::byte> data) {
    if (!tensor_) refuse("append without begin");
    tensor_->append(data);
    values_->append(data);
  }

  void end() {
    if (!tensor_) refuse("end without begin");
    const format::TensorRecord record = tensor_->finish();
    queue_->finish(index_);  // those before it come first in the index, too
    index_.add(record, block_ ? &*block_ : nullptr, tensor_->chunk_sums(), tensor_->frame_sizes());
    values_.reset();
    tensor_.reset();
  }

  void add(std::string_view path, DType dtype, const Shape& shape, std::span<const std::byte> data,
           const TensorOptions& options) {
    if (may_wait(options, data.size())) return add_to_queue(path, dtype, shape, data, options);
    begin(path, dtype, shape, options, data.size());
    append(data);
    end();
  }

  void alias(std::string_view path, std::string_view existing) {
    require_new(path);
    if (queue_->contains(existing)) return queue_->add_alias(index_, path, existing);
    const auto owner = index_.find(existing);
    if (!owner) {
      throw Error{ErrorCode::not_found,
                  {.problem = "no tensor of this path was added, so none can share it",
                   .object = std::string{existing},
                   .advice = "add it before its alias"}};
    }
    index_.add_alias(path, *owner);
  }

  void set_metadata(std::string_view key, MetadataValue value) { metadata_.set(key, std::move(value)); }

  void set_graph(ObjectGraph graph) {
    io::normalise(graph);
    graph_ = std::move(graph);
  }

  void commit() {
    if (tensor_) refuse("the tensor was begun but not ended", tensor_->path());
    queue_->finish(index_);
    queue_.reset();  // and its threads and memory
    if (const std::uint64_t surplus = file_->size() % format::kIndexAlignment; surplus != 0) {
      file_->append_zeros(format::kIndexAlignment - surplus);
    }
    const Metadata& metadata = metadata_.finish(options_.created_ns.value_or(now_ns()));
    const format::IndexBuilder::Index built = index_.build(metadata, graph_);
    const std::span<const std::byte> index = built.bytes;
    const format::PageSums sums = format::build_page_sums(index, codec::xxh3);
    const format::Header header{.required_features = index_.has_compressed() ? format::kFeatureZstd : 0U,
                                .optional_features = graph_.nodes.empty() ? 0U : format::kFeatureGraph,
                                .uuid = options_.uuid ? *options_.uuid : random_uuid()};
    const std::uint64_t index_offset = file_->size();
    const format::Footer footer{
        .index_offset = index_offset,
        .index_size = index.size(),
        .sums_root = sums.root,
        .file_size = index_offset + index.size() + sums.levels.size() * sizeof(std::uint64_t) + format::kFooterBytes,
        .uuid = header.uuid};
    file_->append(index);
    file_->append(std::as_bytes(std::span{sums.levels}));
    file_->set_start(format::encode(header, codec::xxh3));
    file_->append(format::encode(footer, codec::xxh3));
    file_->commit(options_.replace);
    file_.reset();
  }

 private:
  bool is_inherited() const noexcept { return file_ && file_->is_inherited(); }

  void require_new(std::string_view path) const {
    if (tensor_) refuse("the tensor before was begun but not ended", tensor_->path());
    if (const char* reason = base::why_not_a_path(path)) refuse(std::string{"this is no object path: "} + reason, path);
    if (index_.find(path) || queue_->contains(path)) {
      throw Error{ErrorCode::already_exists,
                  {.problem = "a tensor of this path was added before",
                   .object = std::string{path},
                   .advice = "paths must be unique; for tied weights use alias()"}};
    }
  }

  // The size of its data; throws when there can be no such tensor.
  std::uint64_t checked_size(std::string_view path, DType dtype, const Shape& shape, const TensorOptions& options,
                             std::optional<std::uint64_t> size_bytes) const {
    require_new(path);
    if (dtype == DType{}) refuse("dtype 0 is no dtype", path);
    const format::DataSize size = format::data_size(dtype, shape, options.block ? &*options.block : nullptr);
    if (size.problem != nullptr) refuse(size.problem, path, size.advice);
    if (options.block) {
      if (const char* reason = base::why_not_a_key(options.block->name)) {
        refuse(std::string{"the block type's name: "} + reason, path);
      }
    }
    if (!size.bytes && !size_bytes) refuse("this dtype needs a size in bytes", path);
    if (size.bytes && size_bytes && *size.bytes != *size_bytes) {
      throw Error{ErrorCode::invalid_argument,
                  {.problem = "the size does not fit dtype and shape",
                   .object = std::string{path},
                   .expected = std::to_string(*size.bytes) + " bytes for " + std::string{to_string(dtype)} + " " +
                               to_string(shape),
                   .found = std::to_string(*size_bytes)}};
    }
    require_known(compression_of(options));
    return size.bytes ? *size.bytes : *size_bytes;
  }

  Compression compression_of(const TensorOptions& options) const {
    return options.compression.value_or(options_.compression);
  }

  // One that is stored waits only for those before it, which it must follow in the file.
  bool may_wait(const TensorOptions& options, std::uint64_t size) {
    if (compression_of(options) == Compression::none && queue_->is_empty()) return false;
    return queue_->can_take(size);
  }

  void add_to_queue(std::string_view path, DType dtype, const Shape& shape, std::span<const std::byte> data,
                    const TensorOptions& options) {
    const std::uint64_t size = checked_size(path, dtype, shape, options, data.size());
    io::ValueCheck{path, dtype, shape, size}.append(data);
    queue_->add(index_, data, options.block, *file_, geometry_, pipeline(options), std::string{path}, dtype, shape,
                size);
  }

  io::Pipeline* pipeline(const TensorOptions& options) const {
    return compression_of(options) == Compression::none ? nullptr : &queue_->pipeline();
  }

  int process_ = os::process_id();
  std::filesystem::path path_;
  WriterOptions options_;
  unsigned threads_;
  format::Geometry geometry_;
  format::IndexBuilder index_;
  io::FileMetadata metadata_;
  ObjectGraph graph_;
  std::unique_ptr<os::ReplacementFile> file_;  // null after commit and after a failure
  std::unique_ptr<io::TensorQueue> queue_;     // the same; ends before the file
  std::optional<io::TensorWriter> tensor_;
  std::optional<io::ValueCheck> values_;  // of tensor_
  std::optional<BlockType> block_;        // of tensor_
};

Writer::Writer(std::filesystem::path path, WriterOptions options)
    : impl_{std::make_unique<Impl>(std::move(path), std::move(options))} {}
Writer::~Writer() = default;
Writer::Writer(Writer&&) noexcept = default;
Writer& Writer::operator=(Writer&&) noexcept = default;

Writer::Impl& Writer::impl() {
  if (!impl_) refuse("this writer was moved from");
  return *impl_;
}

void Writer::add(std::string_view path, DType dtype, const Shape& shape, std::span<const std::byte> data,
                 const TensorOptions& options) {
  impl().step([&] { impl_->add(path, dtype, shape, data, options); });
}

void Writer::begin(std::string_view path, DType dtype, const Shape& shape, const TensorOptions& options,
                   std::optional<std::uint64_t> size_bytes) {
  impl().step([&] { impl_->begin(path, dtype, shape, options, size_bytes); });
}

void Writer::append(std::span<const std::byte> data) {
  impl().step([&] { impl_->append(data); });
}

void Writer::end() {
  impl().step([&] { impl_->end(); });
}

void Writer::alias(std::string_view path, std::string_view existing) {
  impl().step([&] { impl_->alias(path, existing); });
}

void Writer::set_metadata(std::string_view key, MetadataValue value) {
  impl().step([&] { impl_->set_metadata(key, std::move(value)); });
}

void Writer::set_graph(ObjectGraph graph) {
  impl().step([&] { impl_->set_graph(std::move(graph)); });
}

void Writer::commit() {
  impl().step([&] { impl_->commit(); });
}

}  // namespace ckpt
