// Each hostile file in both variants, in each mode and with each kind of verification: the same verdict everywhere, the
// right code, a message that helps, and little memory.
#include "case.hpp"
#include "peak_memory.hpp"
#include "restoring.hpp"

#include <ckpt/reader.hpp>

#include <catch2/catch.hpp>
#include <support/errors.hpp>
#include <support/sample.hpp>
#include <support/temp_dir.hpp>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <set>
#include <string>

using namespace ckpt;
using namespace ckpt::test;
using namespace ckpt::test::hostile;

namespace {

std::string texts(const std::vector<Error>& errors) {
  std::string text;
  for (const Error& error : errors) text += std::string{"\n  "} + error.what();
  return text;
}

bool says_all(const Error& error, const Case& test) {
  return std::ranges::all_of(test.says, [&](const std::string& part) { return contains(error.what(), part); });
}

// What every message has: the file, where in it, what to do next; and nothing that a terminal would obey.
void check_message(const Error& error, const std::filesystem::path& path) {
  INFO(error.what());
  CHECK(error.details().file == path);
  CHECK(std::string_view{error.what()}.starts_with(path.string() + ": "));
  if (!contains(error.what(), "too short") && !contains(error.what(), "is empty")) CHECK(error.details().offset);
  CHECK_FALSE(error.details().advice.empty());
  CHECK(std::ranges::none_of(std::string_view{error.what()}, [](char c) { return c >= 0 && c < 0x20; }));
}

struct Mode {
  ReadMode mode;
  Verify verify;
};
constexpr Mode kModes[] = {{ReadMode::mmap, Verify::none}, {ReadMode::mmap, Verify::lazy},
                           {ReadMode::mmap, Verify::full}, {ReadMode::read, Verify::none},
                           {ReadMode::read, Verify::lazy}, {ReadMode::read, Verify::full}};

// The sums are right: only what the values are can have led to the verdict, so sums on or off cannot change it.
void check_repaired(const Case& test, const Outcome& outcome, Verify verify) {
  const bool opens = test.verdict != Verdict::open &&
                     (verify != Verify::full || test.verdict == Verdict::accept || test.verdict == Verdict::decode);
  CHECK(outcome.opened == opens);
  if (test.verdict == Verdict::accept) {
    CHECK(outcome.used.empty());
    CHECK(outcome.verified.empty());
    return;
  }
  // Full verification may meet what follows from it first.
  const bool any_message = verify == Verify::full && test.verdict != Verdict::open;
  const auto is_the_one = [&](const Error& error) {
    return error.code() == test.code && (any_message || says_all(error, test));
  };
  const bool must_use = !opens || test.verdict != Verdict::verify;
  if (must_use) CHECK(std::ranges::any_of(outcome.used, is_the_one));
  if (!opens) return;
  if (test.verdict == Verdict::decode) {
    CHECK(outcome.verified.empty());
  } else {
    CHECK(std::ranges::any_of(outcome.verified, is_the_one));
  }
  if (test.verdict == Verdict::part) CHECK(outcome.failed == 0);
  if (test.verdict == Verdict::object || test.verdict == Verdict::decode) CHECK(outcome.failed == test.failing);
}

// The sums are as they were: one of them is wrong now, whatever the values are.
void check_left(const Case& test, const Outcome& outcome) {
  CHECK(outcome.refused());
  for (const auto* errors : {&outcome.used, &outcome.verified}) {
    for (const Error& error : *errors) CHECK((error.code() == ErrorCode::corrupt || error.code() == test.code));
  }
}

void check_file(const Case& test, Variant variant, const std::filesystem::path& path) {
  for (const auto& [mode, verify] : kModes) {
    const Outcome outcome = use_everything(path, {.mode = mode, .verify = verify});
    INFO(test.name << " (" << test.number << ")" << (variant == Variant::left ? ", sums left" : ", sums repaired")
                   << ", mode " << static_cast<int>(mode) << ", verify " << static_cast<int>(verify) << ", "
                   << outcome.failed << " tensors failed\nused:" << texts(outcome.used)
                   << "\nverified:" << texts(outcome.verified));
    for (const Error& error : outcome.used) check_message(error, path);
    for (const Error& error : outcome.verified) check_message(error, path);
    if (variant == Variant::repaired || test.seal == Seal::none) {
      check_repaired(test, outcome, verify);
    } else {
      check_left(test, outcome);
    }
  }
  const auto refused = restore_objects(path);
  INFO(test.name << ": restored" << (refused ? std::string{": "} + refused->what() : ""));
  const bool is_graph = test.verdict == Verdict::part && test.name.starts_with("graph");
  if (variant == Variant::repaired && (test.verdict == Verdict::open || is_graph)) CHECK(refused);
  if (refused) CHECK(refused->details().file == path);
}

}  // namespace

TEST_CASE("sealing an unpatched file changes nothing") {
  Forge forge;
  for (const Base base : {Base::sample, Base::wide, Base::planes, Base::levels}) {
    FileImage image = forge.valid(base);
    const Bytes before = image.bytes();
    image.seal_all();
    CHECK(image.bytes() == before);
  }
}

TEST_CASE("names of hostile files are unique, and each patch changes something") {
  Forge forge;
  std::set<std::string> names;
  for (const Case& test : all_cases()) {
    INFO(test.name);
    CHECK(names.insert(file_name(test, Variant::repaired)).second);
    CHECK(forge.make(test, Variant::left).bytes() != forge.valid(test.base).bytes());
  }
}

TEST_CASE("each hostile file gets its verdict, whether sums are right or wrong, on or off") {
  constexpr unsigned kHangSeconds = 120;  // a hang ends the program: no file takes a second
  const TempDir dir;
  Forge forge;
  std::size_t files = 0;
  for (const Case& test : all_cases()) {
    for (const Variant variant : {Variant::left, Variant::repaired}) {
      if (variant == Variant::left && test.seal == Seal::none) continue;
      const FileImage image = forge.make(test, variant);
      const std::filesystem::path path = dir / file_name(test, variant);
      image.store(path);
      ::alarm(kHangSeconds);
      const long before = peak_kib();
      check_file(test, variant, path);
      CHECK(peak_kib() - before <= kMostKib + 2 * static_cast<long>(image.size() >> 10U));
      std::filesystem::remove(path);
      ++files;
    }
  }
  ::alarm(0);
  std::cout << all_cases().size() << " cases, " << files << " hostile files\n";
}
