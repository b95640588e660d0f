#include "io/source.hpp"

#include "base/checked.hpp"
#include "base/stream_copy.hpp"
#include "codec/summed_copy.hpp"
#include "codec/xxh3.hpp"
#include "format/layout.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <string>
#include <utility>

namespace ckpt::io {
namespace {

// From here on no more than a sixteenth is lost to the rounding.
constexpr std::uint64_t kHugeFrom = std::uint64_t{32} << 20U;

constexpr int kMostBounceMemory = 32;  // of 2 MiB
std::atomic<int> bounce_memory = 0;

}  // namespace

BounceMemory::~BounceMemory() {
  if (memory_.size() != 0) --bounce_memory;
}

// In huge pages: a request that lies in a hundred places takes a virtual disk twice as long.
bool BounceMemory::take() noexcept {
  if (memory_.size() != 0) return true;
  if (++bounce_memory <= kMostBounceMemory) {
    try {
      memory_ = os::Memory{os::DirectFile::kBufferBytes};
      return true;
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): as if there were too many
    }
  }
  --bounce_memory;
  return false;
}

std::shared_ptr<std::byte> allocate_aligned(std::uint64_t size) {
  constexpr std::uint64_t kPage = 4096;
  const std::uint64_t alignment = size < kHugeFrom ? kPage : os::kHugePage;
  const auto rounded = base::Checked{std::max<std::uint64_t>(size, 1)}.round_up(alignment);
  void* memory = rounded.fits(std::numeric_limits<std::ptrdiff_t>::max())
                     ? std::aligned_alloc(alignment, static_cast<std::size_t>(rounded.value()))
                     : nullptr;
  if (memory == nullptr) {
    throw Error{ErrorCode::limit,
                {.problem = "not enough memory for a tensor",
                 .expected = std::to_string(size) + " bytes",
                 .advice = "free some memory, or use the tensor where it lies (ReadMode::mmap)"}};
  }
  if (alignment != kPage) os::prefer_huge_pages({static_cast<std::byte*>(memory), static_cast<std::size_t>(size)});
  return {static_cast<std::byte*>(memory), std::free};
}

Source::Source(const std::filesystem::path& path, ReadMode mode, bool copy_on_write) {
  file_ = std::make_shared<const os::File>(os::File::open(path));
  const os::File& file = *file_;
  size_ = file.size();
  const auto beginning =
      std::span{header_}.first(static_cast<std::size_t>(std::min<std::uint64_t>(size_, header_.size())));
  file.read_at(0, beginning);
  if (size_ < format::kHeaderBytes + format::kFooterBytes) {
    format::require_magic(beginning);
    throw Error{ErrorCode::corrupt,
                {.problem = size_ == 0 ? "the file is empty" : "too short for a checkpoint",
                 .file = path,
                 .expected = "at least 128 bytes",
                 .found = std::to_string(size_),
                 .advice = "it was cut off or never written: use another checkpoint"}};
  }
  file.read_at(size_ - end().size(), std::span{end_}.first(end().size()));
  if (mode == ReadMode::automatic) mode = file.is_remote() ? ReadMode::read : ReadMode::mmap;
  if (copy_on_write && mode == ReadMode::read) {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "copy-on-write needs a mapping, and this file is read without one",
                 .file = path,
                 .advice = "open it with ReadMode::mmap, or restore by copying"}};
  }
  if (mode == ReadMode::read) return;
  mapping_ = std::make_shared<const os::Mapping>(file, os::Mapping::Kind::shared_read_only);
  if (copy_on_write) {
    private_mapping_ = std::make_shared<const os::Mapping>(file, os::Mapping::Kind::private_writable);
  }
}

Source::Source(const Source& other, Unmapped)
    : size_{other.size_}, header_{other.header_}, end_{other.end_}, file_{other.file_} {}

std::unique_ptr<const Source> Source::unmapped() const {
  return std::unique_ptr<const Source>{new Source{*this, Unmapped{}}};
}

std::span<const std::byte> Source::bytes(std::uint64_t offset, std::size_t size,
                                         std::vector<std::byte>& scratch) const {
  if (mapping_) return mapping_->bytes().subspan(static_cast<std::size_t>(offset), size);
  if (scratch.size() < size) scratch.resize(size);
  file_->read_at(offset, std::span{scratch}.first(size));
  return std::span{scratch}.first(size);
}

format::ReadAt Source::reads() const {
  if (!mapping_) return {};
  return [this](std::uint64_t offset, std::span<std::byte> destination) {
    const std::uint64_t end_at = size_ - end().size();
    if (offset < end_at) return file_->read_at(offset, destination);
    std::memcpy(destination.data(), &end_[static_cast<std::size_t>(offset - end_at)], destination.size());
  };
}

// Null where there is none. What a network file system makes of direct reads differs: they may be one request after the
// other.
const os::DirectFile* Source::direct() const {
  std::call_once(direct_opened_, [this] {
    if (!file_->is_remote()) direct_ = os::DirectFile::open(*file_);
  });
  return direct_.get();
}

// The bytes at `offset`, as many as came with one request. None: that is for the page cache.
std::span<const std::byte> Source::read_direct(std::uint64_t offset, std::size_t size, DirectBuffer& buffer) const {
  if (offset >= buffer.until || direct() == nullptr) return {};
  if (offset < buffer.offset || offset - buffer.offset >= buffer.bytes.size()) {
    if (!buffer.memory.take()) return {};
    // No wrap: see above.
    buffer.bytes = direct_->read_at(offset, buffer.until - offset, buffer.memory.data());
    buffer.offset = offset;
  }
  if (buffer.bytes.empty()) buffer.until = 0;
  const auto rest = buffer.bytes.subspan(static_cast<std::size_t>(offset - buffer.offset));
  return rest.first(std::min(rest.size(), size));
}

// `each` gets what was read, in order, and returns nothing. What the device does not give comes from the page cache.
template <typename Each>
void Source::read(std::uint64_t offset, std::span<std::byte> destination, DirectBuffer& buffer,
                  const Each& each) const {
  while (!destination.empty()) {
    const auto piece = read_direct(offset, destination.size(), buffer);
    if (piece.empty()) break;
    base::stream_copy(destination.data(), piece.data(), piece.size());
    each(piece);
    offset += piece.size();  // No wrap: the range lies within the file
    destination = destination.subspan(piece.size());
  }
  file_->read_at(offset, destination);
  each(destination);
}

void Source::copy(std::uint64_t offset, std::span<std::byte> destination, DirectBuffer& buffer) const {
  if (!mapping_) return read(offset, destination, buffer, [](auto) {});
  base::stream_copy(destination.data(), mapping_->data() + offset, destination.size());
}

std::uint64_t Source::copy_with_sum(std::uint64_t offset, std::span<std::byte> destination, std::uint64_t seed,
                                    DirectBuffer& buffer) const {
  if (mapping_) {
    return codec::copy_with_sum(destination,
                                mapping_->bytes().subspan(static_cast<std::size_t>(offset), destination.size()), seed);
  }
  codec::Xxh3Stream sum;
  sum.reset(seed);
  read(offset, destination, buffer, [&](std::span<const std::byte> piece) { sum.update(piece); });
  return sum.digest();
}

// What cannot be populated: reading tells what is wrong, and where. Where the kernel is too old, it does as well.
void Source::read_instead(std::uint64_t offset, std::size_t size, std::vector<std::byte>& scratch) const {
  if (scratch.size() < size) scratch.resize(size);
  file_->read_at(offset, std::span{scratch}.first(size));
}

void Source::prefault(std::uint64_t offset, std::size_t size, std::vector<std::byte>& scratch) const {
  const int error = mapping_ ? mapping_->populate(static_cast<std::size_t>(offset), size) : 0;
  if (error != 0) read_instead(offset, size, scratch);
}

void Source::load(std::uint64_t offset, std::size_t size, std::vector<std::byte>& scratch) const {
  const int error = mapping_ ? mapping_->populate(static_cast<std::size_t>(offset), size) : 0;
  if (error != 0 && error != EINVAL) read_instead(offset, size, scratch);
}

}  // namespace ckpt::io
