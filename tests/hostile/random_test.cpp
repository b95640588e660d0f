// Patches that nobody thought of.
#include "patches.hpp"

#include <ckpt/reader.hpp>

#include <catch2/catch.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <iostream>
#include <random>
#include <stdexcept>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;
using namespace ckpt::test::hostile;

TEST_CASE("random patches of a sealed file do no harm") {
  const TempDir dir;
  Forge forge;
  const FileImage whole = forge.valid(Base::sample);
  std::mt19937_64 random{20240229};
  const std::vector<std::uint64_t> values{0,          1,       2,           7,           8,          63,
                                          64,         255,     4096,        65536,       0x7fffffff, 0x80000000,
                                          0xffffffff, kMost64, kMost64 - 7, 1ULL << 62U, 1ULL << 63U};
  constexpr int kRounds = 4000;
  int refused = 0;
  for (int round = 0; round < kRounds; ++round) {
    FileImage image = whole;
    for (std::uint64_t k = random() % 3 + 1; k > 0; --k) {
      const std::size_t span = image.index_size() - 8;
      const std::size_t offset = image.index_offset() + (random() % span) / 4 * 4;
      const std::uint64_t value = random() % 4 == 0 ? random() : values[random() % values.size()];
      switch (random() % 4) {
        case 0:
          image.set<std::uint8_t>(offset + random() % 4, static_cast<std::uint8_t>(value));
          break;
        case 1:
          image.set<std::uint16_t>(offset + random() % 2 * 2, static_cast<std::uint16_t>(value));
          break;
        case 2:
          image.set<std::uint32_t>(offset, static_cast<std::uint32_t>(value));
          break;
        default:
          image.set<std::uint64_t>(offset, value);
          break;
      }
    }
    try {
      image.seal_data();
      image.seal_index();
    } catch (const std::out_of_range&) {  // the patch made nonsense of the records: seal what is still in its place
      image.bytes().resize(whole.size());
      if (image.index_offset() == whole.index_offset()) image.seal_index();
    }
    image.store(dir / "b.ckpt");
    const ReadMode mode = round % 2 == 0 ? ReadMode::mmap : ReadMode::read;
    if (use_everything(dir / "b.ckpt", {.mode = mode}).refused()) ++refused;
  }
  std::cout << kRounds << " random patches, " << refused << " were refused\n";
  CHECK(refused > kRounds / 2);
}
