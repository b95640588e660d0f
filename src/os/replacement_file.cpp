#include "os/replacement_file.hpp"

#include "base/checked.hpp"
#include "base/parallel.hpp"
#include "os/system_error.hpp"

#include <ckpt/error.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

namespace ckpt::os {
namespace {

constexpr std::size_t kPage = 4096;  // what direct I/O asks of sizes and offsets, and more

std::string name_in(const std::filesystem::path& path) {
  std::string name = path.filename();
  if (name.empty() || name == "." || name == "..") {
    throw Error{ErrorCode::invalid_argument,
                {.problem = "the path names no file", .file = path, .advice = "add a file name to it"}};
  }
  return name;
}

// Whether the name still leads to the open file: 0 if so, ENOENT if not, or the errno that keeps it from being told.
int look_for(int fd, int directory, const std::string& name) noexcept {
  struct stat file{};
  struct stat entry{};
  if (::fstat(fd, &file) != 0 || ::fstatat(directory, name.c_str(), &entry, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  return file.st_ino == entry.st_ino && file.st_dev == entry.st_dev ? 0 : ENOENT;
}

// How far a file may grow.
std::uint64_t size_limit() noexcept {
  struct rlimit limit{};
  return ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY
             ? limit.rlim_cur
             : std::numeric_limits<std::int64_t>::max();
}

}  // namespace

ReplacementFile::ReplacementFile(std::filesystem::path path, const Options& options)
    : ReplacementFile{std::move(path), options, Empty{}} {
  writer_ = std::make_unique<BlockWriter>(file_.get(), options_.cores);
  require_room(options_.expected_bytes);
  if (options_.expected_bytes > 0) allocate(options_.expected_bytes);
}

// Whole, so that whatever throws from here on, the temporary file is removed.
ReplacementFile::ReplacementFile(std::filesystem::path path, const Options& options, Empty)
    : path_{std::move(path)}, name_{name_in(path_)}, options_{options}, directory_{Directory::open(parent_of(path_))} {
  require_replaceable();
  create_temporary();
  limit_ = size_limit();
}

ReplacementFile::~ReplacementFile() {
  if (process_id() != process_) {
    // The threads that this would join, and the temporary file, are the parent's.
    [[maybe_unused]] const BlockWriter* leaked = writer_.release();
    return;
  }
  writer_.reset();  // its threads write to the file
  if (!temporary_.empty()) ::unlinkat(directory_.fd(), temporary_.c_str(), 0);
}

// A rename would put the file into the place of a device as well.
void ReplacementFile::require_replaceable() const {
  struct stat status{};
  if (::fstatat(directory_.fd(), name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (S_ISREG(status.st_mode) || S_ISLNK(status.st_mode)) return;
  throw Error{
      ErrorCode::invalid_argument,
      {.problem = S_ISDIR(status.st_mode) ? "a directory is in the way" : "a device, pipe or socket is in the way",
       .file = path_,
       .advice = "choose another name, or remove what is there"}};
}

// The lock tells those who clean up that this writer lives. One of them may come between the creation and the lock,
// take the file for a dead one's and remove it: then another one is made.
void ReplacementFile::create_temporary() {
  constexpr int kTries = 16;
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  for (int i = 0; i < kTries; ++i) {
    temporary_ = temporary_name(name_);
    const int created = ::openat(directory_.fd(), temporary_.c_str(), kFlags, 0666);
    file_ = apart_from_streams(created);
    if (!file_.is_open()) {
      const int error = errno;
      if (created >= 0) ::unlinkat(directory_.fd(), temporary_.c_str(), 0);
      temporary_.clear();
      throw_system_error(error, "cannot create a temporary file for it", path_);
    }
    const bool taken = try_lock(file_.get()) == LockResult::taken;
    const int error = taken ? ENOENT : look_for(file_.get(), directory_.fd(), temporary_);
    if (error == 0) return;
    if (error != ENOENT) fail(error, "cannot look at the temporary file for it");
    ::unlinkat(directory_.fd(), temporary_.c_str(), 0);
  }
  throw Error{ErrorCode::io,
              {.problem = "the temporary file for it is removed as soon as it is made",
               .file = path_,
               .advice = "something else cleans this directory: stop it, or choose another directory"}};
}

void ReplacementFile::append(std::span<const std::byte> data) {
  // What need not be durable goes to the page cache straight from the caller's memory.
  constexpr std::size_t kWorthACall = std::size_t{256} << 10U;
  if (!options_.durable && data.size() >= kWorthACall) {
    if (filled_ > 0) write_block();
    require_room(size_ + data.size());
    if (const int error = write_all(file_.get(), data, size_)) fail(error, "cannot write");
    size_ += data.size();
    return;
  }
  append_staged(data);
}

void ReplacementFile::append_staged(std::span<const std::byte> data) {
  while (!data.empty()) {
    take_block();
    const std::size_t part = std::min(data.size(), BlockWriter::kBlockBytes - filled_);
    std::memcpy(block_ + filled_, data.data(), part);
    filled_ += part;
    size_ += part;
    data = data.subspan(part);
    if (filled_ == BlockWriter::kBlockBytes) submit_block();
  }
}

void ReplacementFile::append_pieces(std::span<const std::byte> data, std::size_t piece_size,
                                    const BlockWriter::Work& work) {
  if (!options_.durable) return write_pieces(data, piece_size, work);
  const bool can_lend = filled_ % kPage == 0 && piece_size % kPage == 0 && piece_size <= BlockWriter::kBlockBytes;
  const std::size_t whole = can_lend ? data.size() - data.size() % piece_size : 0;
  if (whole > 0) lend(data.first(whole), piece_size, work);
  try {
    for (std::size_t done = whole; done < data.size(); done += piece_size) {
      const auto piece = data.subspan(done, std::min(data.size() - done, piece_size));
      work(done / piece_size, piece);
      append_staged(piece);
    }
  } catch (...) {
    if (writer_) writer_->take_back();
    throw;
  }
  writer_->take_back();
}

void ReplacementFile::lend(std::span<const std::byte> data, std::size_t piece_size, const BlockWriter::Work& work) {
  if (filled_ > 0) submit_block();
  const std::uint64_t end = size_ + data.size();
  require_room(end);
  if (end > allocated_) allocate(end + step_from(size_));
  writer_->lend(data, std::exchange(size_, end), piece_size, work);
}

// To the page cache straight from the caller's memory.
void ReplacementFile::write_pieces(std::span<const std::byte> data, std::size_t piece_size,
                                   const BlockWriter::Work& work) {
  if (filled_ > 0) write_block();
  require_room(size_ + data.size());
  std::atomic<int> error = 0;
  base::deal_out(base::divide_up(data.size(), piece_size), options_.cores, [&] {
    return [&](std::size_t i) {
      const auto rest = data.subspan(i * piece_size);
      const auto piece = rest.first(std::min(rest.size(), piece_size));
      work(i, piece);
      if (const int failed = write_all(file_.get(), piece, size_ + i * piece_size)) error = failed;
    };
  });
  if (error != 0) fail(error, "cannot write");
  size_ += data.size();
}

void ReplacementFile::require_room(std::uint64_t end) {
  if (end > limit_) fail(EFBIG, "cannot write");
}

void ReplacementFile::take_block() {
  if (block_ == nullptr) block_ = writer_->acquire();
  if (block_ == nullptr) fail(writer_->finish(), "cannot write");
}

void ReplacementFile::append_zeros(std::uint64_t count) {
  static constexpr std::array<std::byte, 4096> kZeros{};
  while (count > 0) {
    const std::size_t part = static_cast<std::size_t>(std::min<std::uint64_t>(count, kZeros.size()));
    append_staged(std::span{kZeros}.first(part));
    count -= part;
  }
}

void ReplacementFile::set_start(std::span<const std::byte> bytes) { start_.assign(bytes.begin(), bytes.end()); }

// Direct writes into allocated space run side by side; those that make a file longer wait for each other.
void ReplacementFile::allocate(std::uint64_t end) {
  const bool asked_for = end <= options_.expected_bytes;
  const int failed = ::fallocate(file_.get(), 0, 0, static_cast<off_t>(std::min(end, limit_)));
  // Anything but a full disk or too large a file only means that this file system cannot allocate ahead. What was
  // allocated on a guess may fail.
  const bool no_room = failed != 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG);
  if (no_room && asked_for) fail(errno, "cannot allocate");
  allocated_ = end;
}

// As much again as there is, within reason; little more where the caller has said how much will come.
std::uint64_t ReplacementFile::step_from(std::uint64_t offset) const noexcept {
  constexpr std::uint64_t kLeast = std::uint64_t{16} << 20U;
  constexpr std::uint64_t kMost = std::uint64_t{4} << 30U;
  return options_.expected_bytes > 0 ? kLeast : std::clamp(offset, kLeast, kMost);
}

// Durable files go to the device in the background, block by block, so that fsync has little left to do.
void ReplacementFile::submit_block() {
  if (!options_.durable) return write_block();
  require_room(size_);
  const std::uint64_t offset = size_ - filled_;
  const std::size_t size = std::exchange(filled_, 0);
  if (size_ > allocated_) allocate(size_ + step_from(offset));
  writer_->submit(std::exchange(block_, nullptr), size, offset);
}

void ReplacementFile::write_block() {
  require_room(size_);
  const std::size_t size = std::exchange(filled_, 0);
  if (const int error = write_all(file_.get(), {block_, size}, size_ - size)) fail(error, "cannot write");
}

void ReplacementFile::finish_writing() {
  if (size_ == filled_) std::ranges::copy(start_, block_);
  if (const int error = writer_->finish()) fail(error, "cannot write");
  if (size_ > filled_) {
    if (const int error = write_all(file_.get(), start_, 0)) fail(error, "cannot write");
  }
  if (filled_ > 0) write_block();
  if (allocated_ > size_ && ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) fail(errno, "cannot truncate");
  if (options_.durable) {
    if (::fsync(file_.get()) != 0) fail(errno, "cannot sync");
  } else if (const int again = ::fcntl(file_.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1); again >= 0) {
    // A network file system says at close() what it could not write; at the last one it would be too late.
    if (::close(again) != 0 && errno != EINTR) fail(errno, "cannot write");
  }
  struct stat status{};
  if (::fstat(file_.get(), &status) != 0) fail(errno, "cannot stat");
  if (static_cast<std::uint64_t>(status.st_size) != size_) {
    throw Error{ErrorCode::io,
                {.problem = "the new file has the wrong size after it was written",
                 .file = path_,
                 .expected = std::to_string(size_) + " bytes",
                 .found = std::to_string(status.st_size),
                 .advice = "something else changes files in this directory, or the file system fails"}};
  }
}

void ReplacementFile::commit(bool replace) {
  finish_writing();
  if (replace) {
    require_replaceable();
    directory_.rename(temporary_, name_, path_);
  } else {
    directory_.rename_to_new(temporary_, name_, path_);
  }
  temporary_.clear();
  if (options_.durable && ::fsync(directory_.fd()) != 0 && errno != EINVAL) {
    throw_system_error(
        errno, "the new file is in its place, but may not survive a power cut: cannot sync its directory", path_);
  }
}

void ReplacementFile::fail(int system_error, const char* problem) {
  writer_.reset();
  block_ = nullptr;
  ::unlinkat(directory_.fd(), temporary_.c_str(), 0);
  temporary_.clear();
  throw_system_error(system_error, problem, path_, size_);
}

void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> data, bool durable) {
  ReplacementFile file{path, {.durable = durable}};
  file.append(data);
  file.commit(true);
}

}  // namespace ckpt::os
