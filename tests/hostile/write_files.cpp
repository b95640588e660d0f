// Writes all hostile files into a folder: seeds for fuzzers, and for people to look at. Beside them "verdicts.txt" has
// a line for each, "<file> accept" or "<file> refuse".
//
// usage: write_hostile_files FOLDER
#include "case.hpp"

#include <filesystem>
#include <fstream>
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
  std::ofstream verdicts{folder / "verdicts.txt"};
  std::size_t files = 0;
  for (const Case& test : all_cases()) {
    for (const Variant variant : {Variant::left, Variant::repaired}) {
      if (variant == Variant::left && test.seal == Seal::none) continue;
      forge.make(test, variant).store(folder / file_name(test, variant));
      const bool is_right = variant == Variant::repaired && test.verdict == Verdict::accept;
      verdicts << file_name(test, variant) << (is_right ? " accept\n" : " refuse\n");
      ++files;
    }
  }
  std::cout << files << " files in " << folder << '\n';
}
