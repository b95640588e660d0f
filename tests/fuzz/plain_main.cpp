// Runs a fuzzer without libFuzzer: over the files and folders that are named, and over some damaged copies of each.
// Without arguments, over the sample of the tests.
#include "fuzz.hpp"

#include <support/files.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>

#include <iostream>
#include <random>
#include <vector>

namespace {

std::size_t runs = 0;

void run(const ckpt::Bytes& bytes) {
  // A copy of exactly this size, so that a sanitizer sees each step beyond it.
  const std::vector<std::uint8_t> copy(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                       reinterpret_cast<const std::uint8_t*>(bytes.data()) + bytes.size());
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
  ++runs;
}

void run_with_damage(const ckpt::Bytes& bytes) {
  run(bytes);
  std::mt19937 random{static_cast<unsigned>(bytes.size())};
  constexpr int kCopies = 200;
  for (int i = 0; i < kCopies && !bytes.empty(); ++i) {
    ckpt::Bytes damaged = bytes;
    for (auto changes = random() % 4 + 1; changes > 0; --changes) {
      damaged[random() % damaged.size()] = static_cast<std::byte>(random() % 3 == 0 ? 0xff : random());
    }
    if (random() % 8 == 0) damaged.resize(random() % damaged.size());
    run(damaged);
  }
}

}  // namespace

int main(int count, char** arguments) {
  const ckpt::test::TempDir dir;
  std::vector<std::filesystem::path> paths(arguments + 1, arguments + count);
  if (paths.empty()) {
    ckpt::test::write_sample(dir / "sample.ckpt");
    paths.push_back(dir.path());
  }
  for (const auto& path : paths) {
    if (!std::filesystem::is_directory(path)) {
      run_with_damage(ckpt::test::read_file(path));
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator{path}) {
      if (entry.is_regular_file()) run_with_damage(ckpt::test::read_file(entry.path()));
    }
  }
  std::cout << runs << " inputs\n";
  return runs == 0 ? 1 : 0;
}
