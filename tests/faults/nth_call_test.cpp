// Every system call fails, one after the other, with each errno that the contract names, once and for ever. Afterwards
// the old checkpoint is there bit by bit, nothing leaks, and another try succeeds.
#include "operations.hpp"
#include "sweep.hpp"

#include <ckpt/ckpt.hpp>

#include <support/errors.hpp>
#include <support/sample.hpp>

#include <memory>

using namespace ckpt;
using namespace ckpt::test;
using door::Call;
using door::Effect;
using door::Fault;
namespace fs = std::filesystem;

namespace {

// Kinds of calls of which one may fail without consequence, and why:
//   close, closedir, munmap   what was to end is over
//   fcntl                     locks are advice, direct I/O is for speed, and the second descriptor that is closed early
//                             for an early word of a network's error
//   fstatat                   a look for what is in the way and is no file
//   fallocate, getrlimit      only a full disk is taken seriously (and struck.error says so)
//   fstatfs                   taken for a local disk
//   sched_*scheduler          a hint, too
//   statx                     a directory that is not known again is made durable once more
//   sync_file_range, madvise  hints
//   pwrite                    EINVAL: refused for direct I/O alone
//   fsync                     EINVAL: the file system has nothing to make durable in a directory; after removals, a
//                             line in the log
//   open, fstat, pread        of a damaged disk (EIO): a manager passes over that file and says so
//   open                      of the directory above, where it may not be opened (EACCES)
//   unlinkat                  what is not removed now is removed later
//   getrandom, openat, pwrite, renameat   of the state: where a restore writes it for the next start, a line in the
//                             log; on a full disk (ENOSPC, EDQUOT) it is written after what goes, not before
//   inotify_*, poll           what is not told is looked for
using Survived = std::set<std::string>;

// One Writer from its beginning to its commit.
class Save : public Operation {
 public:
  Save(fs::path dir, Plan plan, const Bytes& made) : dir_{std::move(dir)}, plan_{std::move(plan)}, new_{made} {
    if (!plan_.replaces) return;
    write(path(), {}, 1);
    old_ = read_file(path());
  }

  void run() override { write(path(), plan_, 2); }

  std::string judge(const Struck& struck) override {
    const bool there = fs::exists(path());
    const bool is_old = there ? read_file(path()) == old_ : !plan_.replaces;
    const bool is_new = there && read_file(path()) == new_;
    if (!is_old && !is_new) return "neither old nor new";
    if (struck.ok() && !is_new) return "it returned and the file is the old one";
    // Only these can fail after the file appeared.
    const bool renamed = struck.any(Call::renameat) || struck.any(Call::renameat2) || struck.any(Call::linkat);
    if (!struck.ok() && is_new && !renamed &&
        !(struck.any(Call::fsync) && contains(struck.error->what(), "in its place"))) {
      return "it failed and the file is the new one";
    }
    if (!struck.any(Call::unlinkat) && temporaries_in(dir_) != 0) return "a temporary remains";
    if (plan_.bytes > 1'000'000) return "";  // slow to write
    if (is_new && !plan_.replaces) fs::remove(path());
    run();
    return read_file(path()) == new_ ? "" : "the next try gave another file";
  }

 private:
  fs::path path() const { return dir_ / "a.ckpt"; }

  fs::path dir_;
  Plan plan_;
  Bytes old_;
  const Bytes& new_;
};

auto saving(const Plan& plan) {
  const TempDir other{memory_dir()};
  write(other / "new", plan, 2);
  return
      [plan, made = read_file(other / "new")](const fs::path& dir) { return std::make_unique<Save>(dir, plan, made); };
}

// Opens, verifies, prefaults, looks at every tensor, restores into objects, and lets go of all.
class Open : public Operation {
 public:
  Open(const fs::path& dir, ReaderOptions options) : path_{dir / "a.ckpt"}, options_{options} {
    Checkpoint{{"v", value_}}.write(path_);
    before_ = read_file(path_);
  }

  void run() override {
    restored_ = 0;
    const Reader reader = Reader::open(path_, options_);
    const VerifyReport report = reader.verify();
    if (!report.ok()) throw Error{report.problems.front()};
    reader.prefault(0);
    if (bytes_of(reader.tensor("v")).size() != 40'000) throw std::runtime_error("the wrong tensor");
    Variable<float> value{Shape{100, 100}};
    Checkpoint checkpoint{{"v", value}};
    RestoreOptions restore;
    restore.mode = options_.mode;
    checkpoint.read(path_, restore);
    restored_ = value.values()[9999];
  }

  std::string judge(const Struck& struck) override {
    if (struck.ok() && restored_ != 0.5F) return "the wrong value";
    if (read_file(path_) != before_) return "the file was changed";
    run();
    return restored_ == 0.5F ? "" : "the next try gave the wrong value";
  }

 private:
  fs::path path_;
  ReaderOptions options_;
  Variable<float> value_{Shape{100, 100}, 0.5F};
  Bytes before_;
  float restored_ = 0;
};

auto opening(ReadMode mode, Verify verify) {
  return
      [=](const fs::path& dir) { return std::make_unique<Open>(dir, ReaderOptions{.mode = mode, .verify = verify}); };
}

auto managing(int saves, bool damaged = false) {
  return [=](const fs::path& dir) { return std::make_unique<Manage>(dir, saves, damaged); };
}

// Waits for a checkpoint that never comes, then finds one.
class Watch : public Operation {
 public:
  explicit Watch(const fs::path& dir) : dir_{dir} { Program{dir}.manager.save(); }
  void run() override {
    const WaitOptions options{.timeout = Seconds{0.002}, .poll_interval = Seconds{0.001}};
    found_ = wait_for_new_checkpoint(dir_, std::nullopt, options);
    found_again_ = wait_for_new_checkpoint(dir_, found_, options);
  }
  std::string judge(const Struck& struck) override {
    if (struck.ok() && (!found_ || found_again_)) return "the wrong checkpoint";
    run();
    return found_ && !found_again_ ? "" : "the next try finds the wrong checkpoint";
  }

 private:
  fs::path dir_;
  std::optional<fs::path> found_;
  std::optional<fs::path> found_again_;
};

// A large file is slow to write: fewer kinds of faults, at every call all the same.
std::vector<Fault> few_faults() {
  return {{Effect::fail, EIO},    {Effect::fail, ENOSPC, 1, door::kForEver},
          {Effect::fail, EINVAL}, {Effect::none},
          {Effect::one},          {Effect::half}};
}

// What may fail without consequence, past the page cache. Whether huge pages are asked for depends on how soon the
// first block is written: then there is no second one.
Survived survived_directly(Sweep sweep) {
  sweep.survived.erase("madvise");
  return sweep.survived;
}

}  // namespace

TEST_CASE("the Nth call of a save fails") {
  Plan plan;
  SECTION("that replaces") {
    plan.options.expected_bytes = 3000;
    const Sweep sweep = strike_all("save, replacing", saving(plan));
    CHECK(sweep.survived == Survived{"close", "fcntl", "fstatat", "fallocate", "getrlimit"});
  }
  SECTION("under a new name") {
    plan.replaces = false;
    plan.options.replace = false;
    const Sweep sweep = strike_all("save, new name", saving(plan));
    CHECK(sweep.survived == Survived{"close", "fcntl", "fstatat", "getrlimit"});
  }
  SECTION("under a new name, where the file system can only link") {
    plan.replaces = false;
    plan.options.replace = false;
    const Fault refused{.error = EINVAL, .kind = Call::renameat2};
    const Sweep sweep = strike_all("save, hard link", saving(plan), all_faults(), {refused});
    CHECK(sweep.survived == Survived{"close", "unlinkat"});
  }
  SECTION("that is not durable") {
    plan.options.durable = false;
    plan.bytes = 600'000;
    const Sweep sweep = strike_all("save, not durable", saving(plan), few_faults());
    CHECK(sweep.survived == Survived{"close", "fcntl", "fstatat", "getrlimit"});
  }
  SECTION("past the page cache") {
    plan.bytes = (1U << 20U) + 100;
    plan.options.expected_bytes = 2U << 20U;  // in memory, what is allocated is taken
    const Sweep sweep = strike_all("save, direct", saving(plan), few_faults());
    CHECK(survived_directly(sweep) ==
          Survived{"close", "fcntl", "fstatat", "fallocate", "fsync", "getrlimit", "pwrite"});
  }
  SECTION("past the page cache, by several threads") {
    plan.bytes = (3U << 20U) + 100;
    plan.at_once = true;
    plan.options.expected_bytes = 4U << 20U;
    const Sweep sweep = strike_all("save, many threads", saving(plan), few_faults());
    CHECK(survived_directly(sweep) ==
          Survived{"close", "fcntl", "fstatat", "fallocate", "fsync", "getrlimit", "pwrite"});
  }
  SECTION("compressed, by several threads") {
    plan.bytes = 600'000;
    plan.at_once = plan.shrinks = true;
    plan.options.compression = Compression::zstd;
    plan.options.chunk_bytes = kMinChunkBytes;
    plan.options.threads = 3;
    const Sweep sweep = strike_all("save, compressed", saving(plan), few_faults());
    CHECK(sweep.survived == Survived{"close", "fcntl", "fstatat", "fsync", "getrlimit"});
  }
  SECTION("past the page cache, which is refused") {
    plan.bytes = (1U << 20U) + 100;
    plan.options.expected_bytes = 2U << 20U;
    const Fault refused{.error = EINVAL, .kind = Call::pwrite};
    const Sweep sweep = strike_all("save, direct I/O refused", saving(plan), few_faults(), {refused});
    CHECK(survived_directly(sweep) == Survived{"close", "fcntl", "fstatat", "fsync", "sync_file_range"});
  }
}

TEST_CASE("the Nth call of opening, verifying and binding fails") {
  // What cannot be populated is read.
  CHECK(strike_all("open, mapped", opening(ReadMode::mmap, Verify::lazy)).survived ==
        Survived{"close", "madvise", "munmap"});
  CHECK(strike_all("open, read", opening(ReadMode::read, Verify::full)).survived == Survived{"close"});
  CHECK(strike_all("open, automatic", opening(ReadMode::automatic, Verify::none)).survived ==
        Survived{"close", "fstatfs", "madvise", "munmap"});
}

TEST_CASE("the Nth call of a manager fails") {
  const QuietLog quiet;
  CHECK(strike_all("manager, first start", managing(0)).survived ==
        Survived{"close", "closedir", "fallocate", "fcntl", "fstatat", "getrlimit", "open", "statx"});
  // A parent directory that may not be opened need not be synced; one that cannot be opened is an error.
  CHECK(strike_all("manager, first start, no descriptors", managing(0), {{Effect::fail, EMFILE}}).survived ==
        Survived{"close", "closedir", "fallocate", "fcntl", "fstatat", "getrlimit", "statx"});
  CHECK(strike_all("manager, rotation", managing(4)).survived ==
        Survived{"close", "closedir", "fallocate", "fcntl", "fstat", "fstatat", "fstatfs", "fsync", "getrandom",
                 "getrlimit", "madvise", "munmap", "open", "openat", "pread", "pwrite", "renameat", "statx",
                 "unlinkat"});
  CHECK(strike_all("manager, recovery", managing(3, true)).survived ==
        Survived{"close", "closedir", "fallocate", "fcntl", "fstat", "fstatat", "fstatfs", "fsync", "getrandom",
                 "getrlimit", "madvise", "munmap", "open", "openat", "pread", "pwrite", "renameat", "statx",
                 "unlinkat"});
  CHECK(strike_all("pin", [](const fs::path& dir) { return std::make_unique<Pin>(dir); }).survived ==
        Survived{"close", "fcntl", "fstatat", "getrlimit"});
}

TEST_CASE("the Nth call of waiting for a checkpoint fails") {
  const Sweep sweep = strike_all("watch", [](const fs::path& dir) { return std::make_unique<Watch>(dir); });
  CHECK(sweep.survived == Survived{"close", "inotify_add_watch", "inotify_init1", "poll"});
}

TEST_CASE("the Nth call of a save in the background fails") {
  const QuietLog quiet;
  const Sweep sweep =
      strike_all("save in the background", [](const fs::path& dir) { return std::make_unique<Async>(dir); });
  CHECK(sweep.survived == Survived{"close", "fallocate", "fcntl", "fstatat", "getrlimit", "madvise", "munmap",
                                   "sched_getscheduler", "sched_setscheduler", "statx"});
}

TEST_CASE("a call fails while a save cleans up after one that failed") {
  Plan plan;
  plan.options.expected_bytes = 3000;
  const auto make = saving(plan);
  Sweep sweep;
  std::uint64_t pairs = 0;
  for (const int error : {EIO, ENOSPC}) {
    bool struck = true;
    for (Fault first{Effect::fail, error}; struck; ++first.nth) {
      Fault second{Effect::fail, EIO};
      while (strike_once(make, {first}, second, sweep)) {
        ++second.nth;
        ++pairs;
      }
      struck = door::fired(0) > 0;
    }
  }
  std::cout << "a fault after a fault: " << pairs << " pairs\n";
  CHECK(pairs > 100);
}

TEST_CASE("how many places were struck") {
  std::cout << door::struck_sites() << " places in the program had calls that failed\n";
  CHECK(door::struck_sites() >= 50);
}
