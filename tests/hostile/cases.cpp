#include "case.hpp"

#include <ckpt/writer.hpp>

#include <support/floats.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <cctype>
#include <stdexcept>
#include <utility>

namespace ckpt::test::hostile {
namespace {

// "exponents": two chunks of f32, of which the highest plane is a frame.
void write_planes(const std::filesystem::path& path) {
  Writer writer{path, sample_options()};
  writer.add("exponents", DType::f32, {2, 16384}, normal_floats(2 * kMinChunkBytes, 1),
             {.compression = Compression::zstd});
  writer.commit();
}

// So many tensors that the page sums have two levels.
void write_levels(const std::filesystem::path& path) {
  constexpr int kTensors = 40'000;
  Writer writer{path, sample_options()};
  for (int i = 0; i < kTensors; ++i) writer.add("t" + std::to_string(100'000 + i), DType::u8, {0}, {});
  writer.commit();
}

void seal(FileImage& image, Seal seal) {
  switch (seal) {
    case Seal::none:
      return;
    case Seal::header:
      return image.seal_header();
    case Seal::footer:
      return image.seal_footer();
    case Seal::data:
      image.seal_data();
      [[fallthrough]];
    case Seal::index:
      return image.seal_index();
  }
}

}  // namespace

Cases all_cases() {
  Cases all;
  for (const auto cases : {container_cases, footer_cases, index_cases, vector_cases, path_cases, shape_cases,
                           blob_cases, chunk_cases, plane_cases, metadata_cases, graph_cases, table_cases, sum_cases}) {
    std::ranges::move(cases(), std::back_inserter(all));
  }
  return all;
}

FileImage Forge::valid(Base base) {
  const auto known = std::ranges::find(written_, base, &std::pair<Base, FileImage>::first);
  if (known != written_.end()) return known->second;
  const TempDir dir;
  const std::filesystem::path path = dir / "valid.ckpt";
  switch (base) {
    case Base::sample:
      write_sample(path);
      break;
    case Base::wide:
      write_wide(path);
      break;
    case Base::planes:
      write_planes(path);
      break;
    case Base::levels:
      write_levels(path);
      break;
  }
  return written_.emplace_back(base, FileImage{path}).second;
}

FileImage Forge::make(const Case& test, Variant variant) {
  FileImage image = valid(test.base);
  test.patch(image);
  if (variant == Variant::repaired) seal(image, test.seal);
  return image;
}

std::string file_name(const Case& test, Variant variant) {
  std::string name;
  for (const char c : test.name) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
  return name + (variant == Variant::left ? ".left.ckpt" : ".ckpt");
}

}  // namespace ckpt::test::hostile
