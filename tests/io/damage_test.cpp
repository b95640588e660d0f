// A file of every feature, damaged everywhere: each flip is found, each truncation and each extension refused.
#include <ckpt/reader.hpp>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <support/errors.hpp>
#include <support/file_image.hpp>
#include <support/files.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

namespace {

// A file whose bytes are changed in place while nobody reads it.
class Victim {
 public:
  explicit Victim(const std::filesystem::path& path)
      : path_{path}, bytes_{read_file(path)}, fd_{::open(path.c_str(), O_RDWR | O_CLOEXEC)} {
    if (fd_ < 0) throw std::runtime_error("cannot open the victim");
  }
  ~Victim() { ::close(fd_); }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const Bytes& bytes() const { return bytes_; }
  void put(std::size_t offset, std::byte value) const {
    if (::pwrite(fd_, &value, 1, static_cast<off_t>(offset)) != 1) throw std::runtime_error("pwrite");
  }
  void restore(std::size_t offset) const { put(offset, bytes_[offset]); }
  void resize(std::size_t size) const {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) throw std::runtime_error("ftruncate");
  }

 private:
  std::filesystem::path path_;
  Bytes bytes_;
  int fd_;
};

// Whether open or verify finds something; only these codes are right for damage.
bool is_found(const std::filesystem::path& path, const ReaderOptions& options) {
  try {
    const VerifyReport report = Reader::open(path, options).verify({.threads = 1});
    return !report.ok() &&
           std::ranges::all_of(report.problems, [](const Error& e) { return e.code() == ErrorCode::corrupt; });
  } catch (const Error& error) {
    return error.code() == ErrorCode::corrupt || error.code() == ErrorCode::unsupported;
  }
}

std::string list(const std::vector<std::size_t>& offsets) {
  std::string text;
  for (const std::size_t offset : offsets) text += " " + std::to_string(offset);
  return text;
}

}  // namespace

TEST_CASE("every bit of every byte, flipped, is found", "[flip]") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  const Victim victim{dir / "a.ckpt"};
  REQUIRE(is_found(victim.path(), {}) == false);
  std::vector<std::size_t> missed;
  std::size_t flips = 0;
  for (std::size_t offset = 0; offset < victim.bytes().size(); ++offset) {
    for (unsigned bit = 0; bit < 8; ++bit, ++flips) {
      victim.put(offset, victim.bytes()[offset] ^ static_cast<std::byte>(1U << bit));
      const bool read = (offset + bit) % 4 == 0;
      if (!is_found(victim.path(), {.mode = read ? ReadMode::read : ReadMode::mmap})) missed.push_back(offset);
    }
    victim.restore(offset);
  }
  std::cout << "flipped " << flips << " bits of a file of " << victim.bytes().size() << " bytes, " << missed.size()
            << " were missed\n";
  INFO("missed at" << list(missed));
  CHECK(missed.empty());
  CHECK_FALSE(is_found(victim.path(), {}));
}

TEST_CASE("every byte of a file with a table of paths, flipped, is found", "[flip]") {
  const TempDir dir;
  write_wide(dir / "a.ckpt");
  const Victim victim{dir / "a.ckpt"};
  REQUIRE_FALSE(is_found(victim.path(), {}));
  std::vector<std::size_t> missed;
  for (std::size_t offset = 0; offset < victim.bytes().size(); ++offset) {
    victim.put(offset, victim.bytes()[offset] ^ static_cast<std::byte>(1U << (offset % 8)));
    if (!is_found(victim.path(), {})) missed.push_back(offset);
    victim.restore(offset);
  }
  CHECK(list(missed).empty());
}

TEST_CASE("with Verify::full a damaged byte is found at open, with lazy at the latest when it is bound", "[flip]") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  const Victim victim{dir / "a.ckpt"};
  const Reader whole = Reader::open(victim.path(), {.mode = ReadMode::read});
  std::vector<std::size_t> missed;
  for (std::size_t offset = 0; offset < victim.bytes().size(); offset += 3) {
    victim.put(offset, victim.bytes()[offset] ^ std::byte{0x11});
    const auto code = code_of([&] { Reader::open(victim.path(), {.verify = Verify::full}); });
    if (code != ErrorCode::corrupt && code != ErrorCode::unsupported) missed.push_back(offset);
    victim.restore(offset);
  }
  CHECK(list(missed).empty());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const TensorInfo info = whole.info(i);
    if (info.stored_bytes == 0) continue;
    INFO(info.path);
    victim.put(info.offset, victim.bytes()[info.offset] ^ std::byte{0x80});
    for (const ReadMode mode : {ReadMode::mmap, ReadMode::read}) {
      const Reader reader = Reader::open(victim.path(), {.mode = mode, .verify = Verify::lazy});
      CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, reader.tensor(i));
      const std::string owner{info.alias_of ? whole.info(*info.alias_of).path : info.path};
      CHECK((error.details().object == info.path || error.details().object == owner));
      CHECK(error.details().offset.has_value());
      Bytes memory(info.size_bytes);
      CKPT_CHECK_CODE(ErrorCode::corrupt, reader.read_into(i, memory));
      CKPT_CHECK_CODE(ErrorCode::corrupt, reader.verify_tensor(i));
      const VerifyReport report = reader.verify();
      CHECK_FALSE(report.ok());
      CHECK(report.damaged_tensors >= 1);
    }
    victim.restore(info.offset);
  }
}

TEST_CASE("with sums off a damaged file is still safe to use", "[flip]") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  const Victim victim{dir / "a.ckpt"};
  std::size_t refused = 0;
  for (std::size_t offset = 0; offset < victim.bytes().size(); offset += 2) {
    victim.put(offset, ~victim.bytes()[offset]);
    const Outcome outcome = use_everything(victim.path());
    if (outcome.refused()) ++refused;
    victim.restore(offset);
  }
  CHECK(refused == (victim.bytes().size() + 1) / 2);
}

TEST_CASE("every truncation is refused at open", "[truncate]") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  const Victim victim{dir / "a.ckpt"};
  std::vector<std::size_t> missed;
  for (std::size_t size = victim.bytes().size(); size-- > 0;) {
    victim.resize(size);
    const ReadMode mode = size % 2 == 0 ? ReadMode::mmap : ReadMode::read;
    if (code_of([&] { Reader::open(victim.path(), {.mode = mode}); }) != ErrorCode::corrupt) missed.push_back(size);
  }
  std::cout << "truncated to " << victim.bytes().size() << " lengths, " << missed.size() << " were missed\n";
  CHECK(list(missed).empty());
}

TEST_CASE("a file that lost its tail to zeros is refused", "[truncate]") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  const Bytes whole = read_file(dir / "a.ckpt");
  for (const std::size_t lost : {std::size_t{1}, std::size_t{8}, std::size_t{64}, std::size_t{4096}, whole.size()}) {
    Bytes bytes = whole;
    std::fill(bytes.end() - static_cast<std::ptrdiff_t>(lost), bytes.end(), std::byte{0});
    write_file(dir / "b.ckpt", bytes);
    CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, Reader::open(dir / "b.ckpt"));
    CHECK(contains(error.what(), "b.ckpt"));
  }
}

TEST_CASE("bytes appended are refused", "[truncate]") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  const Bytes whole = read_file(dir / "a.ckpt");
  const Bytes footer(whole.end() - 64, whole.end());
  const std::vector<Bytes> tails{Bytes(1), to_bytes("\n"), Bytes(64), Bytes(4096), footer, whole, to_bytes("PK\3\4")};
  for (const Bytes& tail : tails) {
    Bytes bytes = whole;
    bytes.insert(bytes.end(), tail.begin(), tail.end());
    write_file(dir / "b.ckpt", bytes);
    CKPT_CHECK_CODE(ErrorCode::corrupt, Reader::open(dir / "b.ckpt"));
  }
  Bytes shifted = to_bytes("#!");
  shifted.insert(shifted.end(), whole.begin(), whole.end());
  write_file(dir / "b.ckpt", shifted);
  CKPT_CHECK_CODE(ErrorCode::corrupt, Reader::open(dir / "b.ckpt"));
}

TEST_CASE("a file that goes on after its end is told from one that was cut off", "[truncate]") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  const Bytes whole = read_file(dir / "a.ckpt");
  const auto said = [&](const Bytes& bytes) {
    write_file(dir / "b.ckpt", bytes);
    std::string text;
    for (const ReadMode mode : {ReadMode::mmap, ReadMode::read}) {
      CKPT_REQUIRE_ERROR(error, ErrorCode::corrupt, Reader::open(dir / "b.ckpt", {.mode = mode}));
      text = error.what();
    }
    return text;
  };
  const std::string size = std::to_string(whole.size());
  for (const std::size_t surplus : {1U, 8U, 64U, 4096U, 65536U}) {
    Bytes longer = whole;
    longer.resize(whole.size() + surplus);
    const std::string text = said(longer);
    CHECK(contains(text, "the file goes on after its end"));
    CHECK(contains(text, "expected " + size + " bytes, found " + std::to_string(longer.size())));
    CHECK(contains(text, "truncate --size=" + size));
  }
  Bytes much_longer = whole;
  much_longer.resize(whole.size() + 65537);
  CHECK(contains(said(much_longer), "incomplete write"));
  CHECK(contains(said(Bytes(whole.begin(), whole.end() - 1)), "incomplete write"));
  // The end of another file, or of another size, is none of this one's, and a damaged one is none at all.
  const auto with_end = [&](std::size_t field, bool sealed) {
    FileImage image{whole};
    image.set<std::uint64_t>(image.footer() + field, 5);
    if (sealed) image.seal_footer();
    image.bytes().push_back(std::byte{});
    return said(image.bytes());
  };
  CHECK(contains(with_end(at::kFooterUuid, true), "incomplete write"));
  CHECK(contains(with_end(at::kFileSize, true), "incomplete write"));
  CHECK(contains(with_end(at::kIndexSize, false), "incomplete write"));
  CHECK(contains(with_end(at::kIndexSize, true), "the file goes on after its end"));
  // A whole file whose last byte was flipped was not cut off.
  Bytes flipped = whole;
  flipped.back() ^= std::byte{1};
  CHECK(contains(said(flipped), "damaged footer"));
  FileImage other{flipped};
  other.set<std::uint64_t>(other.footer() + at::kFooterUuid, 5);
  CHECK(contains(said(other.bytes()), "incomplete write"));
}

TEST_CASE("two blobs swapped are found, and so is a renamed tensor") {
  const TempDir dir;
  write_sample(dir / "a.ckpt");
  Bytes bytes = read_file(dir / "a.ckpt");
  const Reader reader = Reader::open(dir / "a.ckpt");
  const TensorInfo one = reader.info(*reader.find("all/i32"));
  const TensorInfo two = reader.info(*reader.find("all/u32"));
  REQUIRE(one.stored_bytes == two.stored_bytes);
  std::swap_ranges(bytes.begin() + static_cast<std::ptrdiff_t>(one.offset),
                   bytes.begin() + static_cast<std::ptrdiff_t>(one.offset + one.stored_bytes),
                   bytes.begin() + static_cast<std::ptrdiff_t>(two.offset));
  write_file(dir / "b.ckpt", bytes);
  const VerifyReport report = Reader::open(dir / "b.ckpt").verify();
  CHECK(report.problems.size() == 2);
  CHECK(report.damaged_tensors == 2);
}

TEST_CASE("each damaged page of the index is reported, whatever else is damaged") {
  const TempDir dir;
  Writer writer{dir / "a.ckpt", {.durable = false}};
  for (int i = 1000; i < 3000; ++i) writer.add("tensor/" + std::to_string(i), DType::u8, {1}, random_bytes(1, 1));
  writer.commit();
  FileImage image{dir / "a.ckpt"};
  // The first page and the last have what opening needs.
  const std::size_t pages = image.index_size() / 4096 - 1;
  REQUIRE(pages > 40);
  for (std::size_t page = 1; page < pages; ++page) image.bytes()[image.index_offset() + page * 4096] ^= std::byte{1};
  image.store(dir / "a.ckpt");
  const VerifyReport report = Reader::open(dir / "a.ckpt").verify();
  for (std::size_t page = 1; page < pages; ++page) {
    const auto is_it = [&](const Error& error) {
      return error.details().offset == image.index_offset() + page * 4096 && contains(error.what(), "damaged page");
    };
    INFO("page " << page);
    CHECK(std::ranges::any_of(report.problems, is_it));
  }
}

TEST_CASE("tensors whose names cannot be read are counted as damaged") {
  const TempDir dir;
  Writer writer{dir / "a.ckpt", {.durable = false}};
  for (int i = 1000; i < 3000; ++i) writer.add("tensor/" + std::to_string(i), DType::u8, {1}, random_bytes(1, 1));
  writer.commit();
  Bytes bytes = read_file(dir / "a.ckpt");
  const Bytes name = to_bytes("tensor/2000");
  const auto found = std::ranges::search(bytes, name).begin();
  REQUIRE(found != bytes.end());
  *found ^= std::byte{1};
  write_file(dir / "a.ckpt", bytes);
  const VerifyReport report = Reader::open(dir / "a.ckpt").verify();
  CHECK(report.problems.size() == 1);
  CHECK(report.damaged_tensors >= 4096 / name.size());
  CHECK(report.damaged_tensors < 2 * 4096 / name.size());
}

TEST_CASE("an error in data says which chunk is damaged") {
  const TempDir dir;
  const Bytes data = random_bytes(5 * kMinChunkBytes + 100, 1);
  WriterOptions options = sample_options();
  Writer writer{dir / "a.ckpt", options};
  writer.add("x", DType::u8, {static_cast<std::int64_t>(data.size())}, data);
  writer.commit();
  const std::uint64_t start = Reader::open(dir / "a.ckpt").info(0).offset;
  const Victim victim{dir / "a.ckpt"};
  const std::size_t chunk = start + 3 * kMinChunkBytes;
  victim.put(chunk + 17, ~victim.bytes()[chunk + 17]);
  const VerifyReport report = Reader::open(dir / "a.ckpt").verify();
  REQUIRE(report.problems.size() == 1);
  const ErrorDetails& details = report.problems[0].details();
  CHECK(details.object == "x");
  CHECK(details.file == dir / "a.ckpt");
  REQUIRE(details.offset);
  CHECK(*details.offset >= chunk);
  CHECK(*details.offset < chunk + kMinChunkBytes);
  CHECK_FALSE(details.expected.empty());
  CHECK(contains(report.problems[0].what(), "xxh3"));  // of what was found
  CHECK(report.damaged_tensors == 1);
}

TEST_CASE("what is no checkpoint is refused, and said to be none") {
  const TempDir dir;
  const auto refuse = [&](const Bytes& bytes, ErrorCode code, const char* said = "not a checkpoint file") {
    write_file(dir / "x", bytes);
    for (const ReadMode mode : {ReadMode::automatic, ReadMode::mmap, ReadMode::read}) {
      CKPT_REQUIRE_ERROR(error, code, Reader::open(dir / "x", {.mode = mode}));
      CHECK(contains(error.what(), said));
    }
  };
  refuse({}, ErrorCode::corrupt, "the file is empty");
  for (const char* text : {"a", "hello", "seven b", "eight by", "a text of 28 bytes, in a line"}) {
    refuse(to_bytes(text), ErrorCode::corrupt);
  }
  write_sample(dir / "a.ckpt");
  const Bytes whole = read_file(dir / "a.ckpt");
  for (const std::size_t size : {1U, 7U, 8U, 63U, 64U, 127U}) {
    refuse(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)), ErrorCode::corrupt,
           "too short for a checkpoint");
  }
  refuse(Bytes(63), ErrorCode::corrupt);
  refuse(Bytes(64), ErrorCode::corrupt);
  refuse(Bytes(128), ErrorCode::corrupt);
  refuse(Bytes(1 << 20), ErrorCode::corrupt);
  refuse(random_bytes(100'000, 5), ErrorCode::corrupt);
  CKPT_CHECK_CODE(ErrorCode::not_found, Reader::open(dir / "absent"));
  CHECK(code_of([&] { Reader::open(dir.path()); }).has_value());
  CHECK(code_of([&] { Reader::open("/dev/null"); }).has_value());
}
