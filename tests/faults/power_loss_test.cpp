// The power is lost at every moment of a save, of a rotation and of a pin, and the disk holds whatever disk_model.hpp
// says that it may. Each of these states gives the old checkpoint or the new one, whole, and the new one alone after
// the call had returned.
#include "codec/xxh3.hpp"
#include "disk_model.hpp"
#include "sweep.hpp"

#include <ckpt/ckpt.hpp>

#include <support/errors.hpp>
#include <support/sample.hpp>
#include <support/sealed_state.hpp>
#include <sys/mman.h>

#include <functional>
#include <iostream>
#include <unordered_map>

using namespace ckpt;
using namespace ckpt::test;
using door::Call;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMostPerCut = 300'000;
constexpr const char* kReturned = "returned";

std::uint64_t all_states = 0;

void write(const fs::path& path, std::uint64_t seed, WriterOptions options, std::size_t bytes = 6000) {
  options.uuid.emplace();
  options.uuid->fill(static_cast<std::byte>(seed));
  options.created_ns = static_cast<std::int64_t>(seed);
  Writer writer{path, options};
  const Bytes data = random_bytes(bytes, seed);
  writer.add("a", DType::u8, {static_cast<std::int64_t>(bytes)}, data);
  writer.commit();
}

// Replays `events` and looks at all states after each of them. `judge(state, returned)` says what is wrong; `returned`
// counts the marks before.
void cut_everywhere(const std::string& name, DiskModel model, const std::vector<door::Event>& events,
                    const std::function<std::string(const DiskModel::State&, int)>& judge) {
  std::uint64_t states = 0;
  int cuts = 0;
  int returned = 0;
  std::string wrong;
  const auto look = [&](const DiskModel::State& state) {
    if (wrong.empty()) wrong = judge(state, returned);
  };
  for (const door::Event& event : events) {
    const bool is_mark = event.call == Call::getpid && !event.name.empty();
    if (is_mark && event.name == kReturned) ++returned;
    if (!model.apply(event) && !is_mark) continue;
    ++cuts;
    states += model.for_each_state(kMostPerCut, look);
    if (wrong.empty()) continue;
    std::cout << name << ", cut " << cuts << ": " << wrong << '\n';
    INFO(name << ", cut " << cuts << " after " << to_string(event.call) << " " << event.name << ", " << returned
              << " calls had returned");
    REQUIRE(wrong == "");
  }
  all_states += states;
  std::cout << name << ": " << states << " states after " << cuts << " cuts\n";
}

std::vector<door::Event> record(const std::function<void()>& action, const std::vector<door::Fault>& faults = {}) {
  {
    const door::Guard guard{faults, true};
    action();
  }
  return door::events();
}

// A file in memory, opened by the public way: whether it is whole.
bool is_whole(const Bytes& bytes) {
  const int fd = ::memfd_create("ckpt", MFD_CLOEXEC);
  if (fd < 0) throw std::runtime_error("memfd_create");
  const bool stored = ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  bool whole = false;
  try {
    whole = Reader::open("/proc/self/fd/" + std::to_string(fd), {.mode = ReadMode::read}).verify({.threads = 1}).ok();
  } catch (const Error&) {
  }
  ::close(fd);
  if (!stored) throw std::runtime_error("write");
  return whole;
}

struct OldAndNew {
  explicit OldAndNew(const TempDir& dir, const WriterOptions& options = {}) {
    fs::create_directory(dir / "other");
    WriterOptions plain = options;
    plain.replace = true;
    for (std::uint64_t seed : {1U, 2U}) write(dir / "other" / std::to_string(seed), seed, plain);
    old_bytes = read_file(dir / "other" / "1");
    new_bytes = read_file(dir / "other" / "2");
    old_hash = codec::xxh3(old_bytes);
    new_hash = codec::xxh3(new_bytes);
    fs::remove_all(dir / "other");
    REQUIRE(is_whole(old_bytes));
    REQUIRE(is_whole(new_bytes));
  }
  Bytes old_bytes;
  Bytes new_bytes;
  std::uint64_t old_hash = 0;
  std::uint64_t new_hash = 0;
};

void lose_power_in_a_save(const std::string& name, bool replaces, const WriterOptions& options,
                          const std::vector<door::Fault>& faults = {}) {
  const TempDir dir{memory_dir()};
  const OldAndNew both{dir, options};
  const fs::path path = dir / "a.ckpt";
  if (replaces) write_file(path, both.old_bytes);
  const DiskModel model{dir.path()};
  const auto events = record(
      [&] {
        write(path, 2, options);
        door::mark(kReturned);
      },
      faults);
  cut_everywhere(name, model, events, [&](const DiskModel::State& state, int returned) -> std::string {
    const auto found = state.find(path.native());
    if (found == state.end()) return replaces || returned > 0 ? "there is no file" : "";
    if (found->second.hash == both.new_hash) return "";
    if (returned > 0) return "it had returned, and the file is not the new one";
    return replaces && found->second.hash == both.old_hash ? "" : "the file is neither old nor new";
  });
}

// A directory with a manager in it, as it would be found.
class Recovery {
 public:
  /// The value that a new program restores: 0 when there is no checkpoint, -1 when it fails.
  double operator()(const fs::path& directory, const DiskModel::State& state) {
    const std::uint64_t key = key_of(directory, state);
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
    return known_[key] = look(directory, state);
  }
  std::size_t distinct() const { return known_.size(); }

 private:
  // Nobody reads a temporary file; the test below looks.
  static std::uint64_t key_of(const fs::path& directory, const DiskModel::State& state) {
    std::uint64_t key = 0;
    for (const auto& [path, content] : state) {
      if (!path.starts_with(directory.native())) continue;
      const std::uint64_t name = codec::xxh3(std::as_bytes(std::span{path}));
      key += (name ^ (path.ends_with(".tmp") ? 1 : content.hash)) * 0x9e3779b97f4a7c15U;
    }
    return key;
  }

  static double look(const fs::path& directory, const DiskModel::State& state) {
    const TempDir dir{memory_dir()};
    for (const auto& [path, content] : state) {
      if (path.starts_with(directory.native()) && content.bytes != nullptr) {
        write_file(dir / fs::path{path}.filename(), *content.bytes);
      }
    }
    Variable<double> value{0};
    Variable<double> weights{Shape{700}};
    Checkpoint checkpoint{{"v", value}, {"w", weights}};
    try {
      CheckpointManager manager{checkpoint, dir.path(), {.max_to_keep = 2}};
      manager.restore_or_initialize();
      const double found = value;
      // And it goes on from there.
      value = 1000;
      manager.save();
      if (temporaries_in(dir.path()) != 0) return -1;
      return found;
    } catch (const Error&) {
      return -1;
    }
  }

  std::unordered_map<std::uint64_t, double> known_;
};

// The number of the newest checkpoint of a list; -1 when it is not whole.
int latest_in(const Bytes& list) {
  constexpr std::string_view kLatest = "latest ckpt-";
  const std::string text{reinterpret_cast<const char*>(list.data()), list.size()};
  const std::string body = text.substr(0, text.find("checksum "));
  const std::size_t at = body.find(kLatest);
  return at == std::string::npos || sealed(body) != text ? -1 : std::stoi(body.substr(at + kLatest.size()));
}

// A program that saves some times, with two checkpoints kept.
void lose_power_in_a_run(const std::string& name, const fs::path& root, const fs::path& directory, bool entry_is_lost,
                         const std::vector<door::Fault>& faults = {}) {
  const QuietLog quiet;
  DiskModel model{root};
  if (entry_is_lost) model.forget_entry(directory);
  std::vector<std::string> removed;  // with the number of calls that had returned then
  std::vector<int> removed_at;
  const auto events = record(
      [&] {
        Variable<double> value{0};
        Variable<double> weights{Shape{700}, 0.25};
        Checkpoint checkpoint{{"v", value}, {"w", weights}};
        CheckpointManager manager{checkpoint, directory, {.max_to_keep = 2}};
        for (int i = 1; i <= 7; ++i) {
          value = i;
          const SaveResult result = manager.save();
          door::mark(kReturned);
          manager.wait_for_deletions();
          door::mark(kReturned);
          for (const auto& path : result.deleted) {
            removed.push_back((directory / path.filename()).native());
            removed_at.push_back(i);
          }
        }
      },
      faults);
  REQUIRE(removed.size() == 5);
  Recovery recover;
  const std::string list = (directory / "ckpt.state").native();
  std::unordered_map<std::uint64_t, int> latest;  // of each list that was seen
  cut_everywhere(name, model, events, [&](const DiskModel::State& state, int returned) -> std::string {
    const int saves = (returned + 1) / 2;  // and each other time it waited for what was removed
    const double value = recover(directory, state);
    if (value < saves || value > saves + 1) return "restores " + std::to_string(value);
    if (const auto found = state.find(list); found != state.end()) {
      const auto [entry, is_new] = latest.try_emplace(found->second.hash, 0);
      if (is_new) entry->second = latest_in(*found->second.bytes);
      if (entry->second < saves) return "the list ends with " + std::to_string(entry->second);
    } else if (saves > 0) {
      return "the list is lost";
    }
    for (std::size_t i = 0; i < removed.size(); ++i) {
      if (returned >= 2 * removed_at[i] && state.contains(removed[i])) return removed[i] + " came back";
    }
    return "";
  });
  std::cout << "  " << recover.distinct() << " of them differ in what is read\n";
}

// `lost` are directories whose entries nobody has made durable, each in the one before; the last may not be there yet.
void lose_power_in_a_write(const std::string& name, const fs::path& root, const std::vector<fs::path>& lost) {
  const QuietLog quiet;
  DiskModel model{root};
  for (const fs::path& directory : lost) {
    if (fs::exists(directory)) model.forget_entry(directory);
  }
  Variable<double> value{1};
  Checkpoint checkpoint{{"v", value}};
  const std::string file = (lost.back() / "x.ckpt").native();
  const auto events = record([&] {
    checkpoint.write(file);
    door::mark(kReturned);
  });
  cut_everywhere(name, model, events, [&](const DiskModel::State& state, int returned) -> std::string {
    return returned > 0 && !state.contains(file) ? "it had returned, and the file is lost" : "";
  });
}

}  // namespace

TEST_CASE("the power is lost in a save") {
  lose_power_in_a_save("a save that replaces", true, {});
  WriterOptions allocated;
  allocated.expected_bytes = 8000;
  lose_power_in_a_save("a save that allocates ahead", true, allocated);
  WriterOptions exclusive;
  exclusive.replace = false;
  lose_power_in_a_save("a save under a new name", false, exclusive);
  lose_power_in_a_save("a save under a new name, by a hard link", false, exclusive,
                       {{.error = EINVAL, .kind = Call::renameat2}});
}

TEST_CASE("the power is lost in the run of a manager") {
  {
    const TempDir dir{memory_dir()};
    lose_power_in_a_run("a manager in new directories", dir.path(), dir / "runs" / "a", false);
  }
  const TempDir dir{memory_dir()};
  fs::create_directory(dir / "a");
  lose_power_in_a_run("a manager in a directory that a killed process made", dir.path(), dir / "a", true);
}

TEST_CASE("the power is lost in the run of a manager that has no room for its list") {
  const TempDir dir{memory_dir()};
  // A new file takes its name by another call.
  const door::Fault full{.error = ENOSPC, .nth = 3, .kind = Call::renameat};
  lose_power_in_a_run("a manager on a full disk", dir.path(), dir / "a", false, {full});
  CHECK(door::fired(0) == 1);
}

TEST_CASE("the power is lost after a write into directories that a killed process made") {
  const TempDir dir{memory_dir()};
  fs::create_directories(dir / "a" / "b");
  lose_power_in_a_write("a write into such directories", dir.path(), {dir / "a", dir / "a" / "b"});
}

TEST_CASE("the power is lost after a write into a directory that another process moved, or put in another's place") {
  const TempDir dir{memory_dir()};
  fs::create_directory(dir / "a");
  lose_power_in_a_write("a write", dir.path(), {dir / "a"});
  fs::create_directory(dir / "b");
  fs::rename(dir / "a", dir / "b" / "a");
  lose_power_in_a_write("a write where that directory was moved to", dir.path(), {dir / "b" / "a"});
  fs::create_directory(dir / "a");
  lose_power_in_a_write("a write where it was before", dir.path(), {dir / "a"});
}

TEST_CASE("the power is lost after a write into a directory that has the number of one that was removed") {
  struct Births {
    Births() { door::pretend_birth(1); }
    ~Births() { door::pretend_birth(0); }
  };
  const Births births;
  const TempDir dir{memory_dir()};
  fs::create_directory(dir / "a");
  lose_power_in_a_write("a write", dir.path(), {dir / "a"});
  fs::remove_all(dir / "a");
  SECTION("another process made it, later") {
    fs::create_directory(dir / "a");
    door::pretend_birth(2);
    lose_power_in_a_write("a write into a directory that was made again", dir.path(), {dir / "a"});
  }
  SECTION("the write makes it, in the same second") {
    lose_power_in_a_write("a write that makes the directory again", dir.path(), {dir / "a"});
  }
}

TEST_CASE("the power is lost when a checkpoint is pinned and unpinned") {
  const QuietLog quiet;
  const TempDir dir{memory_dir()};
  Variable<double> value{1};
  Checkpoint checkpoint{{"v", value}};
  CheckpointManager{checkpoint, dir.path()}.save();
  const std::string pin = (dir / "ckpt-1.ckpt.pin").native();
  for (const bool back : {false, true}) {
    const DiskModel model{dir.path()};
    const auto events = record([&] {
      CheckpointManager manager{checkpoint, dir.path()};
      if (!back) manager.pin(1);
      if (back) manager.unpin(1);
      door::mark(kReturned);
    });
    cut_everywhere(
        back ? "unpin" : "pin", model, events, [&](const DiskModel::State& state, int returned) -> std::string {
          if (!state.contains((dir / "ckpt-1.ckpt").native())) return "the checkpoint is lost";
          return returned > 0 && state.contains(pin) == back ? "it had returned, and the pin is as before" : "";
        });
    REQUIRE(fs::exists(pin) != back);
  }
}

TEST_CASE("the power is lost in a clean-up") {
  const QuietLog quiet;
  const TempDir dir{memory_dir()};
  const auto checkpoint_file = [&](int number) {
    return (dir / ("ckpt-" + std::to_string(number) + ".ckpt")).native();
  };
  {
    Variable<double> value{1};
    Checkpoint checkpoint{{"v", value}};
    CheckpointManager manager{checkpoint, dir.path(), {.max_to_keep = std::nullopt}};
    for (int i = 1; i <= 4; ++i) manager.save();
  }
  // From now on two are to be kept.
  const fs::path list = dir / "ckpt.state";
  const Bytes bytes = read_file(list);
  std::string text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  text.resize(text.find("checksum "));
  text.replace(text.find("max_to_keep all"), 15, "max_to_keep 2");
  write_file(list, std::string_view{sealed(text)});
  const std::uint64_t before = codec::xxh3(read_file(list));
  const DiskModel model{dir.path()};
  const auto events = record([&] {
    collect_garbage(dir.path(), {.apply = true});
    door::mark(kReturned);
  });
  const std::uint64_t after = codec::xxh3(read_file(list));
  CHECK(before != after);
  CHECK_FALSE(fs::exists(checkpoint_file(1)));
  cut_everywhere("a clean-up", model, events, [&](const DiskModel::State& state, int returned) -> std::string {
    const auto listed = state.find(list.native());
    if (listed == state.end()) return "the list is lost";
    if (listed->second.hash != before && listed->second.hash != after) return "the list is neither old nor new";
    if (!state.contains(checkpoint_file(3)) || !state.contains(checkpoint_file(4))) return "what stays is lost";
    const bool first = state.contains(checkpoint_file(1));
    const bool second = state.contains(checkpoint_file(2));
    if ((!first || !second) && listed->second.hash != after) return "it removed before the list was durable";
    return returned > 0 && (first || second) ? "it had returned, and what was removed came back" : "";
  });
}

TEST_CASE("without fsync the power may cost the new file, and what is not whole is refused") {
  const TempDir dir{memory_dir()};
  WriterOptions options;
  options.durable = false;
  const OldAndNew both{dir, options};
  const std::vector<fs::path> paths{dir / "a.ckpt", dir / "b.ckpt"};
  for (const fs::path& path : paths) write_file(path, both.old_bytes);
  const DiskModel model{dir.path()};
  const auto events = record([&] {
    for (const fs::path& path : paths) write(path, 2, options);
  });
  std::unordered_map<std::uint64_t, bool> known{{both.old_hash, true}, {both.new_hash, true}};
  const auto judge = [&](const DiskModel::State& state, int) -> std::string {
    for (const fs::path& path : paths) {
      const auto found = state.find(path.native());
      if (found == state.end()) return "there is no file";
      const auto [entry, is_new] = known.try_emplace(found->second.hash, false);
      if (is_new && is_whole(*found->second.bytes)) return "a mixture of two files is taken for a whole one";
    }
    return "";
  };
  cut_everywhere("two saves that are not durable", model, events, judge);
  std::cout << "  " << known.size() - 2 << " mixtures and torn files, all of them refused\n";
  CHECK(known.size() > 5000);
}

TEST_CASE("states in all") {
  std::cout << all_states << " states in all\n";
  CHECK(all_states >= 1'000'000);
}
