#include "base/checked.hpp"
#include "base/text.hpp"
#include "codec/xxh3.hpp"
#include "io/located.hpp"
#include "io/prefault.hpp"
#include "io/reader_impl.hpp"
#include "io/verifier.hpp"

#include <ckpt/error.hpp>
#include <ckpt/reader.hpp>

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

namespace ckpt {
namespace {

std::size_t common_prefix(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

std::size_t common_suffix(std::string_view a, std::string_view b) {
  const auto found = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend());
  return static_cast<std::size_t>(found.first - a.rbegin());
}

// What a user may have meant who mistyped a path, left out its beginning, or wrote dots: the one that shares most with
// it at both ends. In a large file only those around its place in the order are looked at.
std::string nearest(const format::IndexView& index, std::string_view path) {
  constexpr std::size_t kMost = 10'000;
  if (index.tensor_count() == 0) return "the file has no tensors";
  std::string wanted{path};
  if (wanted.find('/') == std::string::npos) std::ranges::replace(wanted, '.', '/');
  const std::size_t place = index.lower_bound(wanted);
  const std::size_t first = place < kMost / 2 ? 0 : place - kMost / 2;
  std::string_view best;
  std::size_t most = 0;
  for (std::size_t i = first; i < std::min(first + kMost, index.tensor_count()); ++i) {
    const std::string_view candidate = index.path(i);
    const std::size_t shared = common_prefix(candidate, wanted) + common_suffix(candidate, wanted);
    if (best.empty() || shared > most || (shared == most && candidate.size() < best.size())) {
      best = candidate;
      most = shared;
    }
  }
  return "the nearest path is \"" + base::escape(best) + "\"";
}

// Work and memory are in proportion to the file, not to how often it claims the same bytes.
[[noreturn]] void refuse_overlap(const format::TensorRecord& record) {
  throw Error{ErrorCode::corrupt,
              {.problem = "tensors share bytes without being aliases: together they take more than the file has",
               .offset = record.blob_offset,
               .object = std::string{record.path},
               .advice = "the file was made by a faulty writer, or to do harm: use another checkpoint"}};
}

}  // namespace

Reader::Impl::Impl(const std::filesystem::path& path, const ReaderOptions& options)
    : path_{path},
      verify_{options.verify},
      threads_{options.threads},
      source_{path, options.mode, options.copy_on_write} {
  const std::uint64_t size = source_.size();
  header_ = format::decode_header(source_.header(), codec::xxh3);
  if (!format::is_footer(source_.footer())) refuse_end();
  footer_ = format::decode_footer(source_.footer(), size, header_, codec::xxh3);
  const auto index_size = static_cast<std::size_t>(footer_.index_size);
  // No wrap: decode_footer() found the index within the file.
  const auto both = static_cast<std::size_t>(size - format::kFooterBytes - footer_.index_offset);
  const auto bytes = source_.bytes(footer_.index_offset, both, index_copy_);
  index_.emplace(bytes.first(index_size), bytes.subspan(index_size), header_, footer_, codec::xxh3, source_.reads());
}

void Reader::Impl::refuse_end() const {
  constexpr std::uint64_t kMostSurplus = 64U << 10U;  // that is looked through
  const std::uint64_t size = source_.size();
  const std::uint64_t searched = std::min(size, kMostSurplus + format::kFooterBytes);
  std::vector<std::byte> scratch;
  const auto tail = source_.unmapped()->bytes(size - searched, static_cast<std::size_t>(searched), scratch);
  format::refuse_end(tail, size, header_, codec::xxh3);
}

Reader Reader::open(const std::filesystem::path& path, const ReaderOptions& options) {
  return io::located(path, [&] {
    Reader reader{std::make_shared<const Impl>(path, options)};
    if (options.verify == Verify::full) {
      const VerifyReport report = reader.verify();
      if (!report.ok()) throw Error{report.problems.front()};
    }
    return reader;
  });
}

const std::filesystem::path& Reader::path() const noexcept { return impl_->path(); }

std::size_t Reader::size() const noexcept { return impl_->index().tensor_count(); }

FileInfo Reader::file() const noexcept {
  const format::Header& header = impl_->header();
  const format::Footer& footer = impl_->footer();
  const format::Geometry& geometry = impl_->index().geometry();
  return {.major = header.major,
          .minor = header.minor,
          .uuid = header.uuid,
          .required_features = header.required_features,
          .optional_features = header.optional_features,
          .file_size = footer.file_size,
          .index_offset = footer.index_offset,
          .index_size = footer.index_size,
          // No wrap: they lie between index and footer.
          .sums_size = footer.file_size - format::kFooterBytes - format::sums_offset(footer),
          .chunk_bytes = geometry.chunk_size,
          .small_alignment = geometry.small_alignment,
          .large_alignment = geometry.large_alignment,
          .mode = impl_->source().is_mapped() ? ReadMode::mmap : ReadMode::read};
}

void Reader::Impl::require_tensor(std::size_t index) const {
  if (index < index_->tensor_count()) return;
  throw Error{ErrorCode::invalid_argument,
              {.problem = "no tensor of this number",
               .file = path_,
               .expected = "less than " + std::to_string(index_->tensor_count()),
               .found = std::to_string(index)}};
}

format::TensorRecord Reader::Impl::record(std::size_t index) const {
  require_tensor(index);
  return index_->tensor(index);
}

io::Binding Reader::Impl::bind(const format::TensorRecord& record) const {
  const auto size = static_cast<std::size_t>(record.data_size);
  if (record.codec == format::Codec::stored && source_.is_mapped()) {
    const auto& mapping = source_.mapping();
    TensorView view{record.dtype, record.shape,
                    mapping->bytes().subspan(static_cast<std::size_t>(record.blob_offset), size), mapping};
    if (verify_ != Verify::lazy) return {std::move(view), std::nullopt};
    return {std::move(view), io::Transfer{record, std::nullopt}};
  }
  auto memory = io::allocate_aligned(record.data_size);
  const std::span<std::byte> bytes{memory.get(), size};
  return {TensorView{record.dtype, record.shape, bytes, std::move(memory)}, io::Transfer{record, bytes}};
}

void Reader::Impl::transfer(std::span<const io::Transfer> transfers) const {
  io::transfer(source_, *index_, transfers, verify_ != Verify::none, threads_);
}

void Reader::Impl::prefault(std::span<const std::size_t> indices) const {
  for (const std::size_t index : indices) require_tensor(index);
  if (source_.is_mapped()) io::prefault(source_, footer_, indices, threads_);
}

// The graph takes most of the index, and who restores goes on to use the rest. Loaded first, what cannot be read is an
// error where touching it would be a signal, and the kernel is called once for all pages.
ObjectGraph Reader::Impl::graph() const {
  io::prefault_index(source_, footer_, threads_);
  return index_->graph();
}

TensorInfo Reader::info(std::size_t index) const {
  return io::located(path(), [&] {
    const format::TensorRecord record = impl_->record(index);
    TensorInfo info{.path = record.path,
                    .dtype = record.dtype,
                    .shape = record.shape,
                    .size_bytes = record.data_size,
                    .stored_bytes = record.blob_size,
                    .offset = record.blob_offset,
                    .compression = record.codec == format::Codec::zstd ? Compression::zstd : Compression::none,
                    .chunks = record.chunk_count};
    if (record.alias_of != format::kNone) info.alias_of = record.alias_of;
    if (record.block != format::kNone) info.block = impl_->index().block(record.block);
    return info;
  });
}

std::optional<std::size_t> Reader::find(std::string_view path) const {
  return io::located(this->path(), [&] {
    const auto found = impl_->index().find(path);
    return found ? found : impl_->index().find_in_graph(path);
  });
}

TensorView Reader::tensor(std::string_view path) const {
  const auto index = find(path);
  if (!index) {
    throw Error{ErrorCode::not_found,
                {.problem = "no tensor of this path",
                 .file = this->path(),
                 .object = std::string{path},
                 .advice = io::located(this->path(), [&] { return nearest(impl_->index(), path); })}};
  }
  return tensor(*index);
}

TensorView Reader::tensor(std::size_t index) const {
  return io::located(path(), [&] {
    io::Binding binding = impl_->bind(impl_->record(index));
    if (binding.transfer) impl_->transfer({&*binding.transfer, 1});
    return std::move(binding.view);
  });
}

std::vector<TensorView> Reader::tensors(std::span<const std::size_t> indices) const {
  return io::located(path(), [&] {
    std::vector<TensorView> views;
    std::vector<io::Transfer> transfers;
    views.reserve(indices.size());
    std::unordered_map<std::size_t, std::size_t> place_of;  // in views, of each owner of a blob
    base::Checked claimed{0};
    for (const std::size_t index : indices) {
      const format::TensorRecord record = impl_->record(index);
      const std::size_t owner = record.alias_of == format::kNone ? index : record.alias_of;
      if (const auto [known, is_new] = place_of.try_emplace(owner, views.size()); !is_new) {
        views.push_back(views[known->second]);
        continue;
      }
      claimed = claimed + record.blob_size;
      if (!claimed.fits(impl_->footer().index_offset)) refuse_overlap(record);
      io::Binding binding = impl_->bind(record);
      views.push_back(std::move(binding.view));
      if (binding.transfer) transfers.push_back(*binding.transfer);
    }
    impl_->transfer(transfers);
    return views;
  });
}

void Reader::read_into(std::size_t index, std::span<std::byte> destination) const {
  const ReadRequest request{index, destination};
  read_into({&request, 1});
}

void Reader::read_into(std::span<const ReadRequest> requests) const {
  io::located(path(), [&] {
    std::vector<io::Transfer> transfers;
    transfers.reserve(requests.size());
    for (const ReadRequest& request : requests) {
      const format::TensorRecord record = impl_->record(request.index);
      if (request.destination.size() != record.data_size) {
        throw Error{ErrorCode::invalid_argument,
                    {.problem = "the destination has another size than the tensor",
                     .object = std::string{record.path},
                     .expected = std::to_string(record.data_size) + " bytes",
                     .found = std::to_string(request.destination.size())}};
      }
      transfers.push_back({record, request.destination});
    }
    impl_->transfer(transfers);
  });
}

void Reader::prefault(std::size_t index) const { prefault({&index, 1}); }

void Reader::prefault(std::span<const std::size_t> indices) const {
  io::located(path(), [&] { impl_->prefault(indices); });
}

void Reader::verify_tensor(std::size_t index) const {
  io::located(path(), [&] {
    const io::Transfer transfer{impl_->record(index), std::nullopt};
    impl_->transfer({&transfer, 1});
  });
}

VerifyReport Reader::verify(const VerifyOptions& options) const {
  return io::located(path(), [&] {
    return io::verify_file(path(), impl_->source(), impl_->index(), impl_->header(), impl_->footer(), options);
  });
}

Metadata Reader::metadata() const {
  return io::located(path(), [&] { return impl_->index().metadata(); });
}

ObjectGraph Reader::graph() const {
  return io::located(path(), [&] { return impl_->graph(); });
}

std::shared_ptr<std::byte> Reader::private_mapping() const {
  const auto& mapping = impl_->source().private_mapping();
  if (!mapping) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "there is no private mapping",
                 .file = path(),
                 .advice = "open the file with ReaderOptions::copy_on_write"}};
  }
  return {mapping, mapping->data()};
}

}  // namespace ckpt
