// Where blobs lie, and what lies between them.
#include "patches.hpp"

namespace ckpt::test::hostile {
namespace {

template <typename T>
Case record(std::string name, int number, std::string path, std::size_t field, T value, std::vector<std::string> says) {
  return {.name = "blob " + std::move(name),
          .number = number,
          .says = std::move(says),
          .patch = in_record(std::move(path), field, value)};
}

Case hidden(std::string name, int number, Patch patch, std::vector<std::string> says, Seal seal = Seal::data) {
  return {.name = "blob " + std::move(name),
          .number = number,
          .verdict = Verdict::verify,
          .says = std::move(says),
          .patch = std::move(patch),
          .seal = seal};
}

std::uint64_t offset_of(const FileImage& image, const char* path) {
  return image.get<std::uint64_t>(image.tensor(image.find(path)) + at::kBlobOffset);
}

void add_places(Cases& cases) {
  Forge forge;
  const FileImage image = forge.valid(Base::sample);
  const std::uint64_t own = offset_of(image, "large");
  constexpr const char* kOutside = "the blob lies outside of the part of the file that holds blobs";
  for (const std::uint64_t bad : {std::uint64_t{0}, std::uint64_t{8}, std::uint64_t{image.index_offset()},
                                  std::uint64_t{image.footer()}, std::uint64_t{image.size()}}) {
    cases.push_back(record("at " + text(bad), 81, "large", at::kBlobOffset, bad, {kOutside, "expected", "found"}));
  }
  for (const std::uint64_t bad :
       {std::uint64_t{1} << 40U, kMost64, kMost64 - 3, kMost64 - 63, kMost64 - 1023, std::uint64_t{1} << 63U}) {
    cases.push_back(record("at " + text(bad), 75, "large", at::kBlobOffset, bad, {kOutside, "found"}));
  }
  cases.push_back(record("a byte off", 77, "large", at::kBlobOffset, own + 1,
                         {"the blob is not aligned", "expected a multiple of 1024", "found " + text(own + 1)}));
  cases.push_back(record("on the small alignment", 77, "large", at::kBlobOffset, own - 64,
                         {"the blob is not aligned", "expected a multiple of 1024"}));
  cases.push_back(record("half a word off", 77, "all/f64", at::kBlobOffset, offset_of(image, "all/f64") + 4,
                         {"the blob is not aligned", "expected a multiple of 64"}));
}

void add_sizes(Cases& cases) {
  constexpr const char* kStored = "a stored blob has another size than its data";
  constexpr const char* kSize = "the size does not fit dtype and shape";
  for (const std::uint64_t bad : {std::uint64_t{0}, std::uint64_t{1023}, std::uint64_t{1025}, std::uint64_t{1} << 48U,
                                  std::uint64_t{1} << 63U, kMost64}) {
    const std::string number = " " + text(bad);
    cases.push_back(record("of bytes" + number, 83, "large", at::kBlobSize, bad, {kStored, "found" + number}));
    cases.push_back(record("data of bytes" + number, 85, "large", at::kDataSize, bad, {kSize, "found" + number}));
    cases.push_back(record("text of bytes" + number, 85, "all/string", at::kDataSize, bad, {kStored}));
    cases.push_back(record("frames of bytes" + number, 83, "squeezed", at::kBlobSize, bad, {"squeezed"}));
    cases.push_back(record("decoded bytes" + number, 94, "squeezed", at::kDataSize, bad, {kSize}));
  }
  // Both sizes of a string tensor, which no shape contradicts.
  for (const std::uint64_t bad : {std::uint64_t{1} << 48U, kMost64, kMost64 - 63}) {
    cases.push_back(
        {.name = "blob and text of bytes " + text(bad),
         .number = 83,
         .says = {"the blob lies outside"},
         .patch = both(in_record("all/string", at::kDataSize, bad), in_record("all/string", at::kBlobSize, bad))});
  }
}

}  // namespace

Cases blob_cases() {
  Cases cases;
  add_places(cases);
  add_sizes(cases);
  cases.push_back(
      hidden("of two tensors", 79, copied<std::uint64_t>("w/m", "w", at::kBlobOffset), {"an alias differs", "tied"}));
  cases.push_back(hidden("of two tensors of one kind", 79,
                         copied<std::uint64_t>("all/f8_e4m3fn", "all/f8_e5m2", at::kBlobOffset),
                         {"two blobs overlap", "expected", "found"}));
  cases.push_back(
      hidden("within another", 79,
             [](FileImage& image) { in_record("all/i8", at::kBlobOffset, offset_of(image, "large") + 64)(image); },
             {"two blobs overlap"}));
  cases.push_back(hidden("of two tensors that ends in a hole", 82,
                         [](FileImage& image) {
                           // The last blob takes the place of an earlier one: nobody owns its own bytes.
                           in_record("w/m", at::kBlobOffset, offset_of(image, "scalar"))(image);
                         },
                         {"two blobs overlap"}));
  cases.push_back(hidden(
      "padding in use", 82, [](FileImage& image) { image.set<char>(offset_of(image, "w") + 6, 'x'); },
      {"a byte of the padding between blobs is not zero", "expected 0", "found 120"}, Seal::none));
  cases.push_back(hidden(
      "last byte of padding in use", 82, [](FileImage& image) { image.set<char>(image.index_offset() - 1, 'x'); },
      {"a byte of the padding between blobs is not zero", "found 120"}, Seal::none));
  return cases;
}

}  // namespace ckpt::test::hostile
