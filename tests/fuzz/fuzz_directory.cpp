// A directory of checkpoints as the input describes it: names of any kind, states with right checksums, whole,
// damaged and foreign checkpoints, links. It is listed, cleaned up, followed, restored from, and saved into.
//
// The input is a row of entries, each
//   1        kind, of Kind
//   1        size of the name
//   ...      name
//   2        size of the content, little-endian
//   ...      content
#include "fuzz.hpp"

#include <ckpt/ckpt.hpp>

#include <support/errors.hpp>
#include <support/files.hpp>
#include <support/sealed_state.hpp>
#include <support/temp_dir.hpp>

#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace ckpt;
using test::error_of;
namespace fs = std::filesystem;

enum class Kind : std::uint8_t { bytes, sealed_state, checkpoint, damaged_checkpoint, link, directory, count };

struct Entry {
  Kind kind{};
  std::string name;
  std::string_view content;
};

std::string_view take(std::string_view& input, std::size_t size) {
  const std::string_view part = input.substr(0, size);
  input.remove_prefix(part.size());
  return part;
}

std::size_t take_number(std::string_view& input, std::size_t bytes) {
  std::size_t number = 0;
  const std::string_view part = take(input, bytes);
  for (std::size_t i = 0; i < part.size(); ++i) number |= std::size_t{static_cast<unsigned char>(part[i])} << (8 * i);
  return number;
}

bool is_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

std::vector<Entry> parse(std::string_view input) {
  constexpr std::size_t kMost = 24;
  std::vector<Entry> entries;
  while (!input.empty() && entries.size() < kMost) {
    const auto kind = static_cast<Kind>(take_number(input, 1) % static_cast<std::size_t>(Kind::count));
    const std::size_t name_size = take_number(input, 1);
    const std::string_view name = take(input, name_size);
    const std::size_t content_size = take_number(input, 2);
    entries.push_back({kind, std::string{name}, take(input, content_size)});
    if (!is_name(name)) entries.pop_back();
  }
  return entries;
}

struct Program {
  Variable<float> value{0};
  Checkpoint checkpoint{{"v", value}};
};

SaveOptions save_options(std::int64_t step) {
  SaveOptions options;
  options.writer.durable = false;
  options.writer.created_ns = 1'700'000'000'000'000'000 + step * 60'000'000'000;
  options.writer.step = step;
  options.writer.metrics = {{"loss", 1.0 / static_cast<double>(step + 1)}};
  return options;
}

// Whole files to choose from, made once.
const std::vector<Bytes>& checkpoints() {
  static const std::vector<Bytes> files = [] {
    const test::TempDir dir;
    std::vector<Bytes> made;
    for (const std::int64_t step : {0, 1, 10, 20'000}) {
      Program program;
      program.checkpoint.save_counter() = step;
      made.push_back(test::read_file(program.checkpoint.write(dir / "a.ckpt", save_options(step))));
    }
    return made;
  }();
  return files;
}

void make(const fs::path& directory, const Entry& entry) {
  const fs::path path = directory / entry.name;
  std::error_code failed;
  if (fs::symlink_status(path, failed).type() != fs::file_type::not_found)
    return;  // a second of this name, or too long
  if (entry.kind == Kind::link) return fs::create_symlink(fs::path{entry.content}, path, failed);
  if (entry.kind == Kind::directory) {
    fs::create_directory(path, failed);
    return;
  }
  if (entry.kind == Kind::sealed_state) return test::write_file(path, test::sealed(std::string{entry.content}));
  if (entry.kind == Kind::bytes) return test::write_file(path, entry.content);
  std::string_view content = entry.content;
  Bytes file = checkpoints()[take_number(content, 1) % checkpoints().size()];
  if (entry.kind == Kind::damaged_checkpoint) {
    file[take_number(content, 2) % file.size()] ^= static_cast<std::byte>(take_number(content, 1) | 1U);
  }
  test::write_file(path, file);
}

std::vector<std::string> names_of_runs(const fs::path& directory) {
  std::vector<std::string> names;
  error_of([&] {
    for (const RunHistory& run : read_history(directory, {.verify = true}).runs) names.push_back(run.name);
  });
  return names;
}

// The file that a restore looks at first is what a clean-up never takes.
void clean_up(const fs::path& directory, const std::string& name) {
  std::optional<fs::path> before;
  error_of([&] { before = latest_checkpoint(directory, name); });
  error_of([&] { collect_garbage(directory); });
  error_of([&] { collect_garbage(directory, {.apply = true}); });
  if (before && !fs::exists(fs::symlink_status(*before))) std::abort();
}

void go_on(const fs::path& directory, const std::string& name) {
  error_of([&] {
    Program program;
    CheckpointManager manager{
        program.checkpoint,
        directory,
        {.max_to_keep = 2, .keep_every_n_steps = 10, .keep_best = {{"loss"}}, .name = name, .save = save_options(5)}};
    error_of([&] { manager.retention_plan(); });
    error_of([&] { manager.best("loss"); });
    const bool restored = !error_of([&] { manager.restore_or_initialize(); });
    std::optional<fs::path> saved;
    error_of([&] { saved = manager.save().path; });
    manager.wait_for_deletions();
    if (!saved) return;
    if (manager.latest() != saved || !fs::is_regular_file(*saved)) std::abort();
    if (restored && latest_checkpoint(directory, name) != saved) std::abort();
  });
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<Entry> entries = parse({reinterpret_cast<const char*>(data), size});
  const test::TempDir dir{fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path()};
  const fs::path directory = dir / "run";
  fs::create_directory(directory);
  test::write_file(dir / "outside", "untouched");
  for (const Entry& entry : entries) make(directory, entry);
  std::vector<std::string> names = names_of_runs(directory);
  names.resize(std::min<std::size_t>(names.size(), 2));
  for (const std::string& name : names) clean_up(directory, name);
  for (const std::string& name : names) go_on(directory, name);
  if (test::names_in(dir.path()) != std::vector<std::string>{"outside", "run"}) std::abort();
  if (test::read_file(dir / "outside") != test::to_bytes("untouched")) std::abort();
  return 0;
}
