// The sums themselves: of the header, of pages, of pages of sums, of chunks.
#include "patches.hpp"

namespace ckpt::test::hostile {
namespace {

constexpr std::size_t kPage = 4096;

void flip(FileImage& image, std::size_t offset) {
  image.set<std::uint8_t>(offset, static_cast<std::uint8_t>(image.get<std::uint8_t>(offset) ^ 0x10U));
}

Case sum(std::string name, int number, Verdict verdict, Base base, Patch patch, std::vector<std::string> says) {
  return {.name = "sum " + std::move(name),
          .number = number,
          .verdict = verdict,
          .says = std::move(says),
          .patch = std::move(patch),
          .seal = Seal::none,
          .base = base};
}

std::size_t first_level(const FileImage& image) { return image.index_offset() + image.index_size(); }
std::size_t first_level_size(const FileImage& image) { return (image.index_size() + kPage - 1) / kPage * 8; }

}  // namespace

Cases sum_cases() {
  const std::vector<std::string> sums{"damaged page sums of the index", "expected xxh3", "found xxh3"};
  return {
      sum("of the header", 11, Verdict::open, Base::sample, [](FileImage& image) { flip(image, at::kHeaderSum); },
          {"damaged header", "expected xxh3", "found xxh3"}),
      sum("of the footer", 11, Verdict::open, Base::sample,
          [](FileImage& image) { flip(image, image.footer() + at::kFooterSum); },
          {"damaged footer", "expected xxh3", "found xxh3"}),
      sum(
          "of the first page", 11, Verdict::open, Base::sample,
          [](FileImage& image) { flip(image, first_level(image)); }, sums),
      sum(
          "of level 1 for the last page", 87, Verdict::verify, Base::levels,
          [](FileImage& image) { flip(image, first_level(image) + first_level_size(image) - 8); }, sums),
      sum(
          "of level 2", 87, Verdict::open, Base::levels,
          [](FileImage& image) { flip(image, first_level(image) + first_level_size(image)); }, sums),
      sum("page in the middle", 87, Verdict::verify, Base::levels,
          [](FileImage& image) { flip(image, image.index_offset() + image.index_size() / kPage / 2 * kPage); },
          {"damaged page of the index", "expected xxh3", "found xxh3"}),
      {.name = "sum of a chunk",
       .number = 87,
       .verdict = Verdict::verify,
       .says = {"damaged data: chunk 1 of 1", "expected xxh3", "found xxh3", "use another checkpoint"},
       .patch = in_element<std::uint64_t>(Column::chunk_sums, 8, 0, 0, 5)},
  };
}

}  // namespace ckpt::test::hostile
