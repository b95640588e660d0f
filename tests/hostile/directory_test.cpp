// Managers, and those who look at their directories, where these are not what a manager leaves: nothing outside is
// touched, nothing hangs, and a run resumes from the newest checkpoint that is whole, or is told why it cannot.
#include "../manager/run.hpp"
#include "case.hpp"
#include "state_cases.hpp"

#include <ckpt/garbage.hpp>
#include <ckpt/history.hpp>

#include <unistd.h>

#include <algorithm>
#include <string>

using namespace ckpt;
using namespace ckpt::test;
using namespace ckpt::test::hostile;

namespace {

constexpr std::string_view kPrecious = "precious";
constexpr unsigned kHangSeconds = 120;

/// "run" with checkpoints 1 to 3, each with its number as value, and a file beside it that nobody may touch.
void make_run(const std::filesystem::path& dir) {
  Run run{dir / "run", {.max_to_keep = 3}};
  for (int i = 1; i <= 3; ++i) {
    run.value = static_cast<float>(i);
    run.save();
  }
  write_file(dir / "precious", kPrecious);
}

bool says(const LogCapture& log, const std::string& part) {
  return std::ranges::any_of(log.warnings, [&](const std::string& line) { return contains(line, part); });
}

std::string all_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

bool is_one_line(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return c >= 0 && c < 0x20; });
}

// Those who only look: an error, but no hang, no crash and no change.
void look(const std::filesystem::path& directory) {
  const auto before = names_in(directory);
  for (const auto& action : std::initializer_list<std::function<void()>>{
           [&] { latest_checkpoint(directory); }, [&] { read_history(directory, {.verify = true}); },
           [&] { collect_garbage(directory); }}) {
    const auto error = error_of(action);
    INFO((error ? error->what() : ""));
    CHECK((!error || (contains(error->what(), directory.string()) && is_one_line(error->what()))));
  }
  CHECK(names_in(directory) == before);
}

void check(const DirectoryCase& test) {
  INFO(test.name << " (" << test.number << ")");
  const TempDir dir;
  make_run(dir.path());
  test.patch(dir / "run");
  ::alarm(kHangSeconds);
  look(dir / "run");
  {
    LogCapture log;
    const auto error = error_of([&] {
      Run run{dir / "run", {.max_to_keep = 3}};
      const RestoreResult result = run.manager.restore_or_initialize();
      CHECK(run.value.value() == static_cast<float>(test.restored));
      run.value = 9;
      run.save();
      CHECK(run.manager.restore_or_initialize());
      CHECK(run.value.value() == 9);
    });
    INFO("log:\n" << all_of(log.warnings) << "error: " << (error ? error->what() : "none"));
    CHECK((error ? std::optional{error->code()} : std::nullopt) == test.refused);
    if (error) {
      CHECK(contains(error->details().file.string(), dir.path().string()));
      CHECK((error->details().system_error != 0 || !error->details().advice.empty()));
      CHECK(is_one_line(error->what()));
    } else if (!test.warning.empty()) {
      CHECK(says(log, test.warning));
    }
    for (const std::string& line : log.warnings) CHECK(is_one_line(line));
  }
  error_of([&] { collect_garbage(dir / "run", {.apply = true}); });
  ::alarm(0);
  CHECK(names_in(dir.path()) == Paths{"precious", "run"});
  CHECK(read_file(dir / "precious") == to_bytes(kPrecious));
}

}  // namespace

TEST_CASE("a state file that no manager wrote", "[hostile][state]") {
  for (const DirectoryCase& test : state_cases()) check(test);
}

TEST_CASE("a directory that no manager left so", "[hostile][directory]") {
  for (const DirectoryCase& test : directory_cases()) check(test);
}

TEST_CASE("a hostile file in the place of the newest checkpoint", "[hostile][fallback]") {
  const TempDir dir;
  make_run(dir.path());
  Forge forge;
  std::size_t i = 0;
  for (const Case& test : all_cases()) {
    if (test.base == Base::levels || i++ % 8 != 0) continue;  // they are large; one in so many of the others
    forge.make(test, Variant::repaired).store(dir / "run/ckpt-4.ckpt");
    INFO(test.name);
    LogCapture log;
    Run run{dir / "run", {.max_to_keep = 3}};
    const auto error = error_of([&] { run.manager.restore_or_initialize(); });
    INFO(all_of(log.warnings) << (error ? error->what() : ""));
    if (test.verdict == Verdict::accept || test.verdict == Verdict::decode) {
      CHECK((!error || error->code() == ErrorCode::mismatch));  // it is a whole file, of another program
    } else if (test.code == ErrorCode::unsupported) {
      CHECK((error && error->code() == ErrorCode::unsupported));
    } else {
      CHECK_FALSE(error);
      CHECK(run.value.value() == 3);
      CHECK(says(log, "ckpt-4.ckpt"));
    }
  }
}
