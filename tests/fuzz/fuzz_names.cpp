// Patterns and the names that they are to match: the rename tables of a restore, and ckptdump's patterns, which a
// simple matcher judges. The input is lines: the first is a pattern, the last one is a path.
#include "../../tools/ckptdump/glob.hpp"
#include "fuzz.hpp"

#include <ckpt/ckpt.hpp>

#include <support/errors.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace ckpt;
using test::error_of;

// Of patterns with no other special character than '*', on bytes.
bool simply_matches(std::string_view pattern, std::string_view path) {
  std::vector<bool> reached(path.size() + 1);  // by the part of the pattern so far
  reached[0] = true;
  for (const char c : pattern) {
    for (std::size_t i = path.size() + 1; i-- > 0 && c != '*';)
      reached[i] = i > 0 && reached[i - 1] && path[i - 1] == c;
    for (std::size_t i = 1; i <= path.size() && c == '*'; ++i) reached[i] = reached[i] || reached[i - 1];
  }
  return reached[path.size()];
}

void judge_glob(std::string_view pattern, std::string_view path) {
  const bool matches = ckptdump::glob_matches(pattern, path);
  const bool simple = pattern.find_first_of("?[\\") == std::string_view::npos;
  if (simple && pattern.find('*') != std::string_view::npos && matches != simply_matches(pattern, path)) std::abort();
  if (!ckptdump::glob_matches("*", path)) std::abort();
  std::string quoted;
  for (const char c : path) (quoted += '\\') += c;
  const bool ascii = std::ranges::all_of(path, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii && !path.empty() && !ckptdump::glob_matches(quoted, path)) std::abort();
}

class Object : public Trackable {
 public:
  using Trackable::track;
};

struct Program {
  Program() {
    net.track("kernel", kernel);
    net.track("layer", layer);
    layer.track("kernel", inner);
    checkpoint.save_counter();  // restore() makes it, and a plan can tell only of what there is
  }
  Variable<float> kernel{1};
  Variable<float> inner{2};
  Object net;
  Object layer;
  Checkpoint checkpoint{{"net", net}, {"other", inner}};
};

// All or nothing, whatever the table says.
void restore_with(const RestoreOptions& options) {
  static const test::TempDir dir;
  static const std::filesystem::path file = [] {
    Program program;
    return program.checkpoint.write(dir / "a.ckpt");
  }();
  Program program;
  program.kernel = -1;
  program.inner = -2;
  bool applicable = false;
  const bool planned = !error_of([&] { applicable = program.checkpoint.plan(file, options).applicable(); });
  if (program.kernel != -1 || program.inner != -2) std::abort();
  const bool restored = !error_of([&] { program.checkpoint.restore(file, options).expect_partial(); });
  if (restored != (planned && applicable)) std::abort();
  if (!restored && (program.kernel != -1 || program.inner != -2)) std::abort();
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (true) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return lines;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kMostBytes = 2000;
  const std::vector<std::string_view> lines =
      lines_of({reinterpret_cast<const char*>(data), std::min(size, kMostBytes)});
  judge_glob(lines.front(), lines.back());
  RestoreOptions options;
  options.verify = Verify::none;
  for (std::size_t i = 0; i + 1 < std::min<std::size_t>(lines.size(), 16); i += 2) {
    options.renames.push_back({std::string{lines[i]}, std::string{lines[i + 1]}});
  }
  if (lines.size() % 2 == 1) options.on_mismatch = {{std::string{lines.back()}, OnMismatch::skip}};
  restore_with(options);
  options.root = lines.back();
  restore_with(options);
  return 0;
}
