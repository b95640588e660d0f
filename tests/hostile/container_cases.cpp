// Header, length and end of the file.
#include "patches.hpp"

#include <ckpt/limits.hpp>

#include <string_view>

namespace ckpt::test::hostile {
namespace {

template <typename T>
Case header(std::string name, int number, std::size_t field, T value, ErrorCode code, std::vector<std::string> says) {
  return {.name = "header " + std::move(name),
          .number = number,
          .verdict = Verdict::open,
          .code = code,
          .says = std::move(says),
          .patch = at_offset<T>(field, value),
          .seal = Seal::header};
}

Case of_size(std::string name, int number, Patch patch, std::vector<std::string> says) {
  return {.name = std::move(name),
          .number = number,
          .verdict = Verdict::open,
          .says = std::move(says),
          .patch = std::move(patch),
          .seal = Seal::none};
}

void zero_all(FileImage& image) { std::ranges::fill(image.bytes(), std::byte{}); }

void zero_footer(FileImage& image) {
  for (std::size_t i = 0; i < 64; ++i) image.set<char>(image.footer() + i, 0);
}

// The whole file once more: its footer is right, but for another beginning.
void twice_the_file(FileImage& image) {
  const Bytes once = image.bytes();
  image.bytes().insert(image.bytes().end(), once.begin(), once.end());
}

Bytes empty_zip() { return to_bytes(std::string_view{"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22}); }

}  // namespace

Cases container_cases() {
  constexpr auto kCorrupt = ErrorCode::corrupt;
  constexpr auto kUnsupported = ErrorCode::unsupported;
  return {
      of_size("empty file", 1, resized(0), {"the file is empty", "expected at least 128 bytes", "found 0"}),
      of_size("one byte", 2, resized(1), {"too short for a checkpoint", "found 1"}),
      of_size("half a magic", 2, resized(4), {"too short for a checkpoint", "found 4"}),
      of_size("header without its last byte", 2, resized(63), {"too short for a checkpoint", "found 63"}),
      of_size("header alone", 2, resized(64), {"too short for a checkpoint", "found 64"}),
      of_size("header and a part of a footer", 2, resized(127), {"too short for a checkpoint", "found 127"}),
      of_size("header and 64 bytes", 18, resized(128), {"incomplete write"}),
      of_size("half a file", 75, resized(4096), {"incomplete write", "use another checkpoint"}),
      of_size("file without its last byte", 75, shorter_by(1), {"incomplete write"}),
      of_size("file without its footer", 18, shorter_by(64), {"incomplete write"}),
      of_size("footer of zeros", 18, zero_footer, {"incomplete write"}),
      of_size("all zeros", 19, zero_all, {"not a checkpoint file"}),
      of_size("a byte behind the end", 21, appended(Bytes(1)), {"goes on after its end", "truncate --size="}),
      of_size("a zip behind the end", 21, appended(empty_zip()), {"goes on after its end", "truncate --size="}),
      of_size("the file twice", 21, twice_the_file, {"another size than was written"}),
      of_size("a footer behind the end", 21,
              [](FileImage& image) {
                const Bytes footer(image.bytes().end() - 64, image.bytes().end());
                image.bytes().insert(image.bytes().end(), footer.begin(), footer.end());
              },
              {"another size than was written"}),
      of_size("another first byte", 3, at_offset<std::uint8_t>(0, 'x'), {"not a checkpoint file"}),
      of_size("line ends changed", 3, at_offset<char>(4, '\n'), {"not a checkpoint file"}),
      header<std::uint16_t>("version 0", 5, at::kMajor, 0, kCorrupt,
                            {"format version 0.0", "expected major version 1"}),
      header<std::uint16_t>("version 2", 6, at::kMajor, 2, kUnsupported,
                            {"format version 2.0", "expected major version 1", "a newer version of ckpt can read it"}),
      header<std::uint16_t>("version 65535", 6, at::kMajor, 65535, kUnsupported, {"format version 65535.0"}),
      header<std::uint16_t>("byte-swapped version", 7, at::kMajor, 0x0100, kUnsupported, {"format version 256.0"}),
      header<std::uint32_t>("big endian", 7, at::kByteOrder, 0x0D0C0B0A, kUnsupported,
                            {"wrong endianness", "expected little-endian numbers"}),
      header<std::uint32_t>("no byte order", 7, at::kByteOrder, 0, kCorrupt,
                            {"bad byte order mark", "expected 0xa0b0c0d", "found 0x0"}),
      {.name = "header all optional bits and a later minor version",
       .number = 9,
       .verdict = Verdict::accept,
       .patch = both(at_offset<std::uint64_t>(at::kOptional, kMost64), at_offset<std::uint16_t>(at::kMinor, 65535)),
       .seal = Seal::header},
      header<std::uint64_t>("reserved bytes in use", 10, at::kHeaderReserved, 1, kCorrupt,
                            {"reserved bytes of the header", "at offset 0x30", "expected 0", "found 0x1"}),
      header<std::uint64_t>("highest reserved byte in use", 10, at::kHeaderReserved, 1ULL << 63U, kCorrupt,
                            {"found 0x8000000000000000"}),
      header<std::uint64_t>("unassigned feature", 0, at::kRequired, 1U | 2U, kUnsupported, {"bits 0x2"}),
      header<std::uint64_t>("feature of other files", 0, at::kRequired, 1U | 4U, kUnsupported,
                            {"blobs in other files"}),
      header<std::uint64_t>("feature of boxes", 0, at::kRequired, 1U | 8U, kUnsupported, {"sharded tensors"}),
      header<std::uint64_t>("unknown features", 0, at::kRequired, 1U | 2U | (1ULL << 40U), kUnsupported,
                            {"bits 0x10000000002", "a newer version of ckpt can read it"}),
      header<std::uint64_t>("all features", 0, at::kRequired, kMost64, kUnsupported, {"bits 0xfffffffffffffff2"}),
      header<std::uint64_t>("another uuid than the footer", 0, at::kUuid, 5, kCorrupt,
                            {"header and footer are of different files", "expected", "found"}),
      {.name = "header zstd is used and not said",
       .verdict = Verdict::object,
       .says = {"squeezed", "a compressed tensor"},
       .patch = at_offset<std::uint64_t>(at::kRequired, 0),
       .seal = Seal::header},
      {.name = "header graph is there and not said",
       .verdict = Verdict::verify,
       .says = {"the graph feature bit", "at offset 0x18", "expected", "found"},
       .patch = at_offset<std::uint64_t>(at::kOptional, 0),
       .seal = Seal::header},
      {.name = "header zstd is said and not used",
       .verdict = Verdict::verify,
       .says = {"the zstd feature bit", "at offset 0x10", "expected", "found"},
       .patch = at_offset<std::uint64_t>(at::kRequired, 1),
       .seal = Seal::header,
       .base = Base::wide},
  };
}

Cases footer_cases() {
  Forge forge;
  const FileImage image = forge.valid(Base::sample);
  const std::uint64_t offset = image.index_offset();
  const std::uint64_t size = image.index_size();
  Cases cases;
  const auto add = [&](const std::string& field, std::size_t place, std::uint64_t bad, ErrorCode code,
                       std::vector<std::string> says, int number) {
    cases.push_back({.name = "footer " + field + " " + text(bad),
                     .number = number,
                     .verdict = Verdict::open,
                     .code = code,
                     .says = std::move(says),
                     .patch = in_footer(place, bad),
                     .seal = Seal::footer});
  };
  constexpr const char* kMisplaced = "the index does not lie where header and footer leave room for it";
  for (const std::uint64_t bad : {std::uint64_t{0}, std::uint64_t{32}, std::uint64_t{64}, offset + 1, offset + 8,
                                  offset - 64, offset + 64, offset + size, std::uint64_t{image.footer()}}) {
    add("index offset", at::kIndexOffset, bad, ErrorCode::corrupt, {kMisplaced, "expected", "found"}, 17);
  }
  for (const std::uint64_t bad :
       {std::uint64_t{1} << 62U, std::uint64_t{1} << 63U, kMost64, kMost64 - 4, kMost64 - 63, kMost64 - size + 1}) {
    add("index offset", at::kIndexOffset, bad, ErrorCode::corrupt, {kMisplaced, "expected", "found"}, 14);
  }
  for (const std::uint64_t bad : {std::uint64_t{0}, std::uint64_t{1}, size - 8, size + 8, size + 1,
                                  std::uint64_t{image.size()} + 1, kMaxIndexBytes}) {
    add("index size", at::kIndexSize, bad, ErrorCode::corrupt, {kMisplaced, "expected", "found"}, 13);
  }
  for (const std::uint64_t bad :
       {kMaxIndexBytes + 8, std::uint64_t{1} << 32U, std::uint64_t{1} << 63U, kMost64, kMost64 - offset + 1}) {
    add("index size", at::kIndexSize, bad, ErrorCode::limit, {"kMaxIndexBytes", "found " + text(bad)}, 14);
  }
  for (const std::uint64_t bad :
       {std::uint64_t{0}, image.size() - 1, image.size() + 1, std::uint64_t{1} << 63U, kMost64}) {
    add("file size", at::kFileSize, bad, ErrorCode::corrupt,
        {"another size than was written", "expected " + text(bad), "found " + text(image.size())}, 13);
  }
  add("root of the page sums", at::kRootSum, 5, ErrorCode::corrupt,
      {"damaged page sums of the index", "expected xxh3 0000000000000005", "found xxh3"}, 11);
  add("uuid", at::kFooterUuid, 5, ErrorCode::corrupt, {"header and footer are of different files"}, 0);
  add("magic", at::kFooterMagic, 0, ErrorCode::corrupt, {"damaged footer"}, 18);
  return cases;
}

}  // namespace ckpt::test::hostile
