#include "io/source.hpp"

#include "base/checked.hpp"
#include "base/stream_copy.hpp"
#include "format/layout.hpp"
#include "os/system_error.hpp"

#include <ckpt/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

namespace ckpt::io {

std::shared_ptr<std::byte> allocate_aligned(std::uint64_t size) {
  constexpr std::uint64_t kAlignment = 4096;
  const auto rounded = base::Checked{std::max<std::uint64_t>(size, 1)}.round_up(kAlignment);
  void* memory = rounded.fits(std::numeric_limits<std::ptrdiff_t>::max())
                     ? std::aligned_alloc(kAlignment, static_cast<std::size_t>(rounded.value()))
                     : nullptr;
  if (memory == nullptr) {
    throw Error{ErrorCode::limit,
                {.problem = "not enough memory for a tensor",
                 .expected = std::to_string(size) + " bytes",
                 .advice = "free some memory, or use the tensor where it lies (ReadMode::mmap)"}};
  }
  return {static_cast<std::byte*>(memory), std::free};
}

Source::Source(const std::filesystem::path& path, ReadMode mode, bool copy_on_write) : path_{path} {
  file_ = std::make_shared<const os::File>(os::File::open(path));
  const os::File& file = *file_;
  size_ = file.size();
  id_ = file.id();
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

Source::Source(const Source& other, os::File file)
    : path_{other.path_},
      size_{other.size_},
      id_{other.id_},
      header_{other.header_},
      end_{other.end_},
      file_{std::make_shared<const os::File>(std::move(file))} {}

std::unique_ptr<const Source> Source::reopened() const {
  try {
    os::File file = os::File::open(path_);
    if (file.id() == id_) return std::unique_ptr<const Source>{new Source{*this, std::move(file)}};
  } catch (const Error&) {
    // It was removed, or is another thing now.
  }
  return nullptr;
}

std::span<const std::byte> Source::bytes(std::uint64_t offset, std::size_t size,
                                         std::vector<std::byte>& scratch) const {
  if (mapping_) return mapping_->bytes().subspan(static_cast<std::size_t>(offset), size);
  if (scratch.size() < size) scratch.resize(size);
  file_->read_at(offset, std::span{scratch}.first(size));
  return std::span{scratch}.first(size);
}

format::ReadAt Source::take_reads() {
  if (!mapping_ || !file_) return {};
  return [this, file = std::exchange(file_, nullptr)](std::uint64_t offset, std::span<std::byte> destination) {
    const std::uint64_t end_at = size_ - end().size();
    if (offset < end_at) return file->read_at(offset, destination);
    std::memcpy(destination.data(), &end_[static_cast<std::size_t>(offset - end_at)], destination.size());
  };
}

void Source::copy(std::uint64_t offset, std::span<std::byte> destination, bool used_next) const {
  if (!mapping_) return file_->read_at(offset, destination);
  if (destination.empty()) return;
  const std::byte* from = mapping_->bytes().data() + offset;
  if (used_next) {
    std::memcpy(destination.data(), from, destination.size());
  } else {
    base::stream_copy(destination.data(), from, destination.size());
  }
}

void Source::prefault(std::uint64_t offset, std::size_t size, std::vector<std::byte>& scratch) const {
  const int error = mapping_ ? mapping_->populate(static_cast<std::size_t>(offset), size) : 0;
  if (error == 0) return;
  // Reading tells what is wrong, and where. On a kernel that cannot populate, it does as well.
  if (const auto file = reopened()) {
    file->bytes(offset, size, scratch);
  } else if (error != EINVAL) {
    os::throw_system_error(error, "cannot read", path_, offset);
  }
}

void Source::prefetch(std::uint64_t offset, std::size_t size) const noexcept {
  if (mapping_) mapping_->prefetch(static_cast<std::size_t>(offset), size);
}

}  // namespace ckpt::io
