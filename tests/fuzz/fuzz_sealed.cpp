// The same, but with every checksum made right first, as an attacker would: so the fuzzer gets past them.
#include "fuzz.hpp"

#include <support/file_image.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 128) return 0;
  const auto bytes = std::as_bytes(std::span{data, size});
  ckpt::test::FileImage image{{bytes.begin(), bytes.end()}};
  image.set<std::uint64_t>(0, 0x0a1a0a0d504b4389);  // the magic numbers, so that no time is lost on them
  image.set<std::uint64_t>(image.footer() + ckpt::test::at::kFooterMagic, 0x0a444e4554504b43);
  image.set<std::uint64_t>(image.footer() + ckpt::test::at::kFileSize, size);
  for (std::size_t i = 0; i < 16; i += 8) {
    image.set(image.footer() + ckpt::test::at::kFooterUuid + i, image.get<std::uint64_t>(ckpt::test::at::kUuid + i));
  }
  const auto attempt = [](const auto& seal) {
    try {
      seal();
    } catch (const std::out_of_range&) {  // what is nonsense cannot be sealed; the rest can
    }
  };
  // Sums overwrite bytes that hostile offsets point them to: those of header and footer are computed last.
  attempt([&] { image.seal_data(); });
  attempt([&] { image.seal_index(); });
  image.seal_footer();
  image.seal_header();
  ckpt::fuzz::use(image.bytes());
  return 0;
}
