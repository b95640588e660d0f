// Writes all hostile files into a folder: seeds for fuzzers, and for people to look at.
//
// usage: write_hostile_files FOLDER
#include "case.hpp"

#include <filesystem>
#include <iostream>

using namespace ckpt::test::hostile;

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: write_hostile_files FOLDER\n";
    return 2;
  }
  const std::filesystem::path folder = arguments[1];
  std::filesystem::create_directories(folder);
  Forge forge;
  std::size_t files = 0;
  for (const Case& test : all_cases()) {
    for (const Variant variant : {Variant::left, Variant::repaired}) {
      if (variant == Variant::left && test.seal == Seal::none) continue;
      forge.make(test, variant).store(folder / file_name(test, variant));
      ++files;
    }
  }
  std::cout << files << " files in " << folder << '\n';
}
