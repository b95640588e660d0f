// Runs a fuzzer without libFuzzer: over the files and folders that are named, and over some damaged copies of each.
#include "fuzz.hpp"

#include <support/files.hpp>

#include <algorithm>
#include <iostream>
#include <random>
#include <vector>

// A fuzzer that has no mutator of its own has none of these.
#pragma weak LLVMFuzzerCustomMutator

namespace {

std::mt19937 random_numbers;
std::size_t runs = 0;

void run(const std::vector<std::uint8_t>& bytes) {
  // A copy of exactly this size, so that a sanitizer sees each step beyond it.
  const std::vector<std::uint8_t> copy{bytes.begin(), bytes.end()};
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
  ++runs;
}

void run_with_damage(const std::filesystem::path& path) {
  const ckpt::Bytes file = ckpt::test::read_file(path);
  std::vector<std::uint8_t> bytes(file.size());
  std::ranges::transform(file, bytes.begin(), [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
  run(bytes);
  random_numbers.seed(static_cast<unsigned>(bytes.size()));
  const auto mutate = LLVMFuzzerCustomMutator;
  constexpr std::size_t kCopies = 12;
  for (std::size_t i = 0; i < kCopies && !bytes.empty(); ++i) {
    std::vector<std::uint8_t> damaged = bytes;
    for (auto changes = random_numbers() % 3 + 1; changes > 0 && !damaged.empty(); --changes) {
      const std::size_t size = damaged.size();
      damaged.resize(size + 256);
      damaged.resize(mutate != nullptr
                         ? mutate(damaged.data(), size, damaged.size(), static_cast<unsigned>(random_numbers()))
                         : LLVMFuzzerMutate(damaged.data(), size, damaged.size()));
    }
    run(damaged);
  }
}

}  // namespace

std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most) {
  if (size == 0) return 0;
  for (auto changes = random_numbers() % 4 + 1; changes > 0; --changes) {
    data[random_numbers() % size] = static_cast<std::uint8_t>(random_numbers() % 3 == 0 ? 0xff : random_numbers());
  }
  return random_numbers() % 8 == 0 && size < most ? random_numbers() % size : size;
}

int main(int count, char** arguments) {
  for (int i = 1; i < count; ++i) {
    const std::filesystem::path path = arguments[i];
    if (!std::filesystem::is_directory(path)) {
      run_with_damage(path);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator{path}) {
      if (entry.is_regular_file()) run_with_damage(entry.path());
    }
  }
  std::cout << runs << " inputs\n";
  return runs == 0 ? 1 : 0;
}
