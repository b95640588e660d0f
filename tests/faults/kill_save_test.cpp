// A process is killed at every system call of a save: the path holds the old checkpoint or the new one, bit by bit,
// and the next process saves as if nothing had been. CKPT_TEST_KILLS asks for more, with sizes and options drawn.
#include "killing.hpp"

#include <memory>
#include <optional>

using namespace ckpt;
using namespace ckpt::test;
using door::Call;
using door::Fault;
namespace fs = std::filesystem;

namespace {

// What is left besides the checkpoint: at most one temporary, which the next manager there removes.
std::string clean_up(const fs::path& dir) {
  for (const std::string& name : names_in(dir)) {
    const bool temporary = name.starts_with(".a.ckpt.") && name.ends_with(".tmp");
    if (!temporary && name != "a.ckpt") return "there is " + name;
  }
  if (temporaries_in(dir) > 1) return "more than one temporary";
  Program{dir};
  return temporaries_in(dir) == 0 ? "" : "a temporary remains after the start of a manager";
}

// Bytes of the checkpoints: 1 is the old one.
struct Expected {
  Bytes old_bytes;
  Bytes new_bytes;
};

std::string judge_save(const fs::path& dir, const Plan& plan, const Expected& expected, bool returned) {
  const fs::path path = dir / "a.ckpt";
  const bool there = fs::exists(path);
  const Bytes found = there ? read_file(path) : Bytes{};
  if (found != expected.new_bytes && (returned || found != expected.old_bytes)) return "neither old nor new";
  if (there && !Reader::open(path, {.verify = Verify::full}).verify().ok()) return "what is there is not whole";
  if (std::string wrong = clean_up(dir); !wrong.empty()) return wrong;
  if (there != fs::exists(path) || (there && read_file(path) != found)) return "cleaning up changed the checkpoint";
  if (!plan.replaces) fs::remove(path);
  write(path, plan, 2);
  if (read_file(path) != expected.new_bytes) return "the next save gave another file";
  return temporaries_in(dir) == 0 ? "" : "the next save left a temporary";
}

Victim saving(const std::string& name, const Plan& plan, const std::vector<Fault>& before = {}) {
  const TempDir other{memory_dir()};
  Expected expected;
  write(other / "new", plan, 2);
  expected.new_bytes = read_file(other / "new");
  if (plan.replaces) {
    write(other / "old", {}, 1);
    expected.old_bytes = read_file(other / "old");
  }
  const auto prepare = [plan](const fs::path& dir) {
    if (plan.replaces) write(dir / "a.ckpt", {}, 1);
  };
  const auto run = [plan](const fs::path& dir, Progress& progress) {
    write(dir / "a.ckpt", plan, 2);
    progress.returned = 1;
  };
  const auto judge = [plan, expected = std::make_shared<Expected>(std::move(expected))](const fs::path& dir,
                                                                                        const Progress& progress) {
    return judge_save(dir, plan, *expected, progress.returned > 0);
  };
  return {name, prepare, run, judge, before};
}

// Objects are saved three times, in the background. The value is the number of the save.
Victim saving_in_background(const std::string& name, SaveMode mode) {
  const auto prepare = [](const fs::path& dir) {
    Variable<double> value{0};
    Checkpoint{{"v", value}}.write(dir / "a.ckpt");
  };
  const auto run = [mode](const fs::path& dir, Progress& progress) {
    Variable<double> value{0};
    Checkpoint checkpoint{{"v", value}};
    AsyncSaver saver{checkpoint};
    for (int i = 1; i <= 3; ++i) {
      value = i;
      progress.called = i;
      AsyncSaveOptions options;
      options.mode = mode;
      options.on_durable = [&progress, i](const fs::path&) { progress.returned = i; };
      PendingSave pending = saver.write(dir / "a.ckpt", options);
      pending.staged();
      if (i == 2) pending.durable();
    }
    saver.wait();
  };
  const auto judge = [](const fs::path& dir, const Progress& progress) -> std::string {
    const double found = scalar_in(dir / "a.ckpt");
    if (found < static_cast<double>(progress.returned) || found > static_cast<double>(progress.called)) {
      return "found " + std::to_string(found);
    }
    if (std::string wrong = clean_up(dir); !wrong.empty()) return wrong;
    Variable<double> value{-1};
    Checkpoint checkpoint{{"v", value}};
    checkpoint.read(dir / "a.ckpt");
    if (value.value() != found) return "restored " + std::to_string(value.value());
    value = 100;
    AsyncSaver{checkpoint}.write(dir / "a.ckpt").durable();
    return scalar_in(dir / "a.ckpt") == 100 ? "" : "the next save gave another value";
  };
  return {name, prepare, run, judge};
}

// Past the page cache go whole blocks alone.
constexpr std::size_t kDirect = (3U << 20U) + 100;

std::vector<Victim> all_kinds() {
  Plan replacing;
  Plan allocated;
  allocated.options.expected_bytes = 3000;
  Plan new_name;
  new_name.replaces = new_name.options.replace = false;
  Plan quick;
  quick.options.durable = false;
  quick.bytes = 600'000;
  Plan compressed;
  compressed.options.compression = Compression::zstd;
  Plan direct;
  direct.bytes = kDirect;
  direct.at_once = true;
  direct.options.expected_bytes = 4U << 20U;  // in memory, what is allocated is taken
  return {
      saving("save, replacing", replacing),
      saving("save, allocated ahead", allocated),
      saving("save, new name", new_name),
      saving("save, hard link", new_name, {{.error = EINVAL, .kind = Call::renameat2}}),
      saving("save, not durable", quick),
      saving("save, compressed", compressed),
      saving("save, direct", direct),
      saving("save, direct I/O refused", direct, {{.error = EINVAL, .kind = Call::pwrite}}),
      saving_in_background("background, copy", SaveMode::copy),
      saving_in_background("background, overlap", SaveMode::overlap),
      saving_in_background("background, hand-off", SaveMode::hand_off),
  };
}

Victim drawn(std::mt19937& random) {
  if (random() % 4 == 0) {
    constexpr SaveMode kModes[] = {SaveMode::copy, SaveMode::overlap, SaveMode::hand_off};
    return saving_in_background("background, drawn", kModes[random() % 3]);
  }
  Plan plan;
  plan.bytes = random() % (std::size_t{1} << (1 + random() % 21));
  plan.replaces = random() % 2 == 0;
  plan.options.replace = plan.replaces;
  plan.options.durable = random() % 2 == 0;
  if (random() % 2 == 0) plan.options.expected_bytes = plan.bytes;
  if (random() % 3 == 0) plan.options.compression = Compression::zstd;
  plan.options.chunk_bytes = kMinChunkBytes << random() % 4;
  return saving("save, drawn, " + std::to_string(plan.bytes) + " bytes", plan);
}

}  // namespace

TEST_CASE("killed at every system call of a save") {
  const QuietLog quiet;
  kill_all(all_kinds(), drawn);
}
