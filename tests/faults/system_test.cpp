// What only some systems say: the door says it.
#include "door.hpp"
#include "os/directory.hpp"
#include "os/file.hpp"
#include "os/replacement_file.hpp"

#include <ckpt/ckpt.hpp>

#include <catch2/catch.hpp>
#include <support/errors.hpp>
#include <support/files.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <cerrno>

using namespace ckpt;
using namespace ckpt::test;
using door::Call;
using door::Effect;
using door::Fault;

namespace {

ReadMode mode_of(const Reader& reader) { return reader.file().mode; }

}  // namespace

TEST_CASE("files on network file systems are read, others are mapped") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  // NFS, FUSE, CIFS, SMB2, Ceph, Lustre, GPFS, 9P: as statfs(2) lists them.
  for (const std::uint32_t type :
       {0x6969U, 0x65735546U, 0xff534d42U, 0xfe534d42U, 0x00c36400U, 0x0bd00bd0U, 0x47504653U, 0x01021997U}) {
    door::pretend_file_system(type);
    CHECK(mode_of(Reader::open(dir / "a.ckpt")) == ReadMode::read);
    CHECK(mode_of(Reader::open(dir / "a.ckpt", {.mode = ReadMode::mmap})) == ReadMode::mmap);
    CKPT_CHECK_CODE(ErrorCode::invalid_argument, Reader::open(dir / "a.ckpt", {.copy_on_write = true}));
  }
  door::pretend_file_system(0xef53);  // ext4
  CHECK(mode_of(Reader::open(dir / "a.ckpt")) == ReadMode::mmap);
  door::pretend_file_system(0);
  const door::Guard guard{{{.error = EIO, .kind = Call::fstatfs}}};
  CHECK(mode_of(Reader::open(dir / "a.ckpt")) == ReadMode::mmap);
}

TEST_CASE("what close says of a file that need not be durable") {
  const TempDir dir;
  write_file(dir / "a", "old");
  const auto save = [&](int error) {
    // The first to be closed is the copy of the descriptor that is made to ask.
    const door::Guard guard{{{.error = error, .kind = Call::close}}};
    os::write_file_atomically(dir / "a", to_bytes("new"), false);
  };
  CKPT_REQUIRE_ERROR(error, ErrorCode::io, save(EIO));
  CHECK(error.details().system_error == EIO);
  CHECK(read_file(dir / "a") == to_bytes("old"));
  CHECK(temporaries_in(dir.path()) == 0);
  save(EINTR);  // on Linux the descriptor is closed all the same
  CHECK(read_file(dir / "a") == to_bytes("new"));
}

TEST_CASE("what need not be durable and cannot be written, in one call or in pieces") {
  const TempDir dir;
  const Bytes data = random_bytes(std::size_t{1} << 20U, 1);
  const auto save = [&](bool in_pieces) {
    const door::Guard guard{{{.error = EIO, .kind = Call::pwrite}}};
    os::ReplacementFile file{dir / "a", {.durable = false, .cores = 2}};
    if (in_pieces) {
      file.append_pieces(data, data.size() / 8, [](auto, auto) {});
    } else {
      file.append(data);
    }
    file.commit(true);
  };
  for (const bool in_pieces : {false, true}) {
    CKPT_REQUIRE_ERROR(error, ErrorCode::io, save(in_pieces));
    CHECK(error.details().system_error == EIO);
    CHECK(door::fired(0) == 1);
    CHECK(names_in(dir.path()).empty());
  }
}

TEST_CASE("room that was asked for and is not there is an error at once, and a guess at it is none") {
  const TempDir dir;
  const auto save = [&](int error, std::uint64_t expected_bytes, std::size_t bytes) {
    const door::Guard guard{{{.error = error, .kind = Call::fallocate}}};
    os::ReplacementFile file{dir / "a", {.expected_bytes = expected_bytes}};
    file.append(random_bytes(bytes, 1));
    file.commit(true);
  };
  for (const int full : {ENOSPC, EDQUOT, EFBIG}) {
    CKPT_REQUIRE_ERROR(error, ErrorCode::io, save(full, 1000, 1000));
    CHECK(error.details().system_error == full);
    CHECK(names_in(dir.path()).empty());
    CHECK_NOTHROW(save(full, 0, os::BlockWriter::kBlockBytes + 1));
    CHECK(door::fired(0) == 1);
    std::filesystem::remove(dir / "a");
  }
  CHECK_NOTHROW(save(EOPNOTSUPP, 1000, 1000));
}

TEST_CASE("a directory above that may not be opened matters to a new directory, and not to one that was there") {
  const TempDir dir;
  Variable<float> value{1};
  Checkpoint checkpoint{{"v", value}};
  const auto save = [&] {
    // The first one that is opened is the directory itself.
    const door::Guard guard{{{.error = EACCES, .nth = 2, .kind = Call::open}}};
    checkpoint.write(dir / "a" / "b.ckpt");
  };
  CKPT_REQUIRE_ERROR(error, ErrorCode::io, save());
  CHECK(error.details().system_error == EACCES);
  CHECK(error.details().file == dir.path());
  CHECK(names_in(dir / "a").empty());
  save();
  CHECK(door::fired(0) == 1);
  CHECK(Reader::open(dir / "a" / "b.ckpt").verify().ok());
}

TEST_CASE("random bytes are drawn whole, however few come at a time") {
  Bytes bytes(64);
  {
    const door::Guard guard{{{.effect = Effect::one, .times = door::kForEver, .kind = Call::getrandom}}};
    os::fill_random(bytes);
  }
  CHECK(std::ranges::count(bytes, std::byte{}) < 32);  // of those that are drawn, one in 256
}
