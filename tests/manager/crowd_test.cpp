// Directories that hold more than a manager expects: what cannot be removed, and very many checkpoints.
#include "run.hpp"

#include <support/child.hpp>
#include <sys/mount.h>

#include <algorithm>
#include <string>

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// `count` checkpoints that are one file. The state lists the first.
void make_crowd(const std::filesystem::path& directory, int count) {
  {
    Run{directory}.save(1);
  }
  for (int i = 2; i <= count; ++i) {
    std::filesystem::create_hard_link(directory / "ckpt-1.ckpt", directory / ("ckpt-" + std::to_string(i) + ".ckpt"));
  }
}

}  // namespace

TEST_CASE("a temporary that cannot be removed keeps no manager from starting", "[manager][crowd]") {
  const TempDir dir;
  const std::string name = ".ckpt-1.ckpt.0123456789abcdef.tmp";
  const std::string other = ".ckpt-2.ckpt.0123456789abcdef.tmp";
  write_file(dir / name, std::string_view{"half"});
  write_file(dir / other, std::string_view{"half"});
  const ChildResult result = run_child([&]() -> std::string {
    // What is mounted on cannot be removed, by root neither.
    if (!own_mounts() || ::mount((dir / name).c_str(), (dir / name).c_str(), nullptr, MS_BIND, nullptr) != 0) {
      return skip("no mounts here");
    }
    LogCapture log;
    Run run{dir.path()};
    run.save(1);
    const auto names_it = [&](const std::string& line) { return contains(line, name); };
    if (std::ranges::count_if(log.warnings, names_it) != 1) return "no warning";
    if (!std::filesystem::exists(dir / name)) return "it went";
    if (std::filesystem::exists(dir / other)) return "the other one stayed";
    return checkpoints_in(dir.path()) == Paths{"ckpt-1.ckpt"} ? "" : "not saved";
  });
  if (skipped(result)) return;
  CHECK(result.text == "");
}

TEST_CASE("thousands of checkpoints are adopted, and go at once", "[manager][crowd]") {
  const TempDir dir;
  constexpr int kCount = 3000;
  make_crowd(dir.path(), kCount);
  {
    Run run{dir.path(), {.max_to_keep = std::nullopt, .adopt = true}};
    CHECK(run.manager.checkpoints().size() == kCount);
    run.manager.restore_or_initialize();
    run.save(kCount + 1);
  }
  Run run{dir.path(), {.max_to_keep = 2}};
  run.manager.restore_or_initialize();
  CHECK(run.save(kCount + 2).deleted.size() == kCount);
  CHECK(run.manager.checkpoints().size() == 2);
  CHECK(checkpoints_in(dir.path()) == Paths{"ckpt-3001.ckpt", "ckpt-3002.ckpt"});
}
