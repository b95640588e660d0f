// A disk that is full: what the rules let go of makes room for the new file, and nothing else goes. Each on a file
// system of its own.
#include "run.hpp"

#include <fcntl.h>
#include <support/child.hpp>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

using namespace ckpt;
using namespace ckpt::test;
namespace fs = std::filesystem;

namespace {

enum class Removals : std::uint8_t {
  free,
  held,
  until_full,  ///< held until a disk has no room for a file
};
std::atomic<Removals> removals{Removals::free};

void let_removals_go() {
  removals = Removals::free;
  removals.notify_all();
}

}  // namespace

// These take the place of the system's in this program.
extern "C" int unlinkat(int directory, const char* name, int flags) {
  for (Removals now = removals; now != Removals::free; now = removals) removals.wait(now);
  return static_cast<int>(::syscall(SYS_unlinkat, directory, name, flags));
}

extern "C" int fallocate64(int fd, int mode, off64_t offset, off64_t size) {
  const int result = static_cast<int>(::syscall(SYS_fallocate, fd, mode, offset, size));
  if (result != 0 && errno == ENOSPC && removals == Removals::until_full) let_removals_go();
  return result;
}

namespace {

constexpr std::size_t kDisk = std::size_t{4} << 20U;
constexpr std::int64_t kValues = std::int64_t{64} << 10U;  // of four bytes

/// A program whose checkpoints are no small part of the disk.
struct Training {
  Training(const fs::path& directory, std::optional<int> max_to_keep)
      : manager{checkpoint, directory, {.max_to_keep = max_to_keep}} {}

  Variable<float> values{{kValues}, 1.0F};
  Checkpoint checkpoint{{"v", values}};
  CheckpointManager manager;
};

void make_run(const fs::path& directory, int count) {
  Training training{directory, std::nullopt};
  for (int i = 0; i < count; ++i) training.manager.save();
}

/// What a file takes of the disk.
std::uintmax_t room_of(const fs::path& file) {
  constexpr std::uintmax_t kPage = 4096;
  return (fs::file_size(file) + kPage - 1) / kPage * kPage;
}

/// Fills the disk up to the last `bytes`.
void leave(const fs::path& disk, std::uintmax_t bytes) {
  write_file(disk / "filler", Bytes(fs::space(disk).available - bytes));
}

std::string text_of(const Paths& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

/// The checkpoints on the disk.
std::string found_in(const fs::path& disk) { return text_of(checkpoints_in(disk)); }

/// Saves, and expects that there is no room for that.
std::string refused(Training& training, const fs::path& disk, std::int64_t number) {
  const auto error = error_of([&] { training.manager.save(number); });
  if (!error) return "it was saved";
  if (error->details().system_error != ENOSPC) return error->what();
  const std::string file = "ckpt-" + std::to_string(number) + ".ckpt";
  if (error->details().file != disk / file) return std::string{"another file: "} + error->what();
  return temporaries_in(disk) == 0 ? "" : "a temporary remains";
}

void on_a_disk(const std::function<std::string(const fs::path&)>& body) {
  const TempDir dir;
  const fs::path disk = dir / "disk";
  const ChildResult result = on_tmpfs(disk, kDisk, [&] { return body(disk); });
  if (!skipped(result)) CHECK(result.text == "");
}

}  // namespace

TEST_CASE("a run that was killed before it removed what it let go of goes on", "[manager][full]") {
  const std::optional<SaveMode> mode =
      GENERATE(std::optional<SaveMode>{}, SaveMode::copy, SaveMode::overlap, SaveMode::hand_off);
  const bool room_for_a_list = GENERATE(true, false);
  CAPTURE(room_for_a_list);
  on_a_disk([&](const fs::path& disk) -> std::string {
    make_run(disk, 3);
    leave(disk, room_for_a_list ? room_of(disk / "ckpt-1.ckpt") / 2 : 0);
    Training training{disk, 2};
    training.manager.restore_or_initialize();
    if (mode) {
      training.manager.save_async({}, *mode).pending.durable();
    } else if (training.manager.save().deleted != std::vector{disk / "ckpt-1.ckpt", disk / "ckpt-2.ckpt"}) {
      return "it does not tell what it let go of";
    }
    training.manager.wait_for_deletions();
    if (training.manager.checkpoints() != std::vector{disk / "ckpt-3.ckpt", disk / "ckpt-4.ckpt"}) return "the list";
    const std::string found = found_in(disk);
    return found == "ckpt-3.ckpt ckpt-4.ckpt" ? "" : found;
  });
}

TEST_CASE("a list for which there is no room comes after what goes", "[manager][full]") {
  on_a_disk([](const fs::path& disk) -> std::string {
    {
      Training training{disk, 1};
      training.manager.save();
      leave(disk, room_of(disk / "ckpt-1.ckpt"));  // for the next file, and nothing else
      training.manager.save();
      training.manager.wait_for_deletions();
      if (found_in(disk) != "ckpt-2.ckpt") return found_in(disk);
      training.manager.save();  // beside the one before, as it was
    }
    Training training{disk, 1};
    if (training.manager.checkpoints() != std::vector{disk / "ckpt-3.ckpt"}) return "the list";
    return training.manager.restore_or_initialize().path == disk / "ckpt-3.ckpt" ? "" : "another one is restored";
  });
}

TEST_CASE("a save that finds the disk full waits for what is being removed", "[manager][full][deletion]") {
  on_a_disk([](const fs::path& disk) -> std::string {
    make_run(disk, 2);
    Training training{disk, 1};
    training.manager.restore_or_initialize();
    leave(disk, room_of(disk / "ckpt-1.ckpt") * 3 / 2);
    removals = Removals::held;
    training.manager.save();
    removals = Removals::until_full;
    training.manager.save();
    training.manager.wait_for_deletions();
    const std::string found = found_in(disk);
    return found == "ckpt-4.ckpt" ? "" : found;
  });
}

TEST_CASE("a full disk costs nothing that the rules keep", "[manager][full]") {
  on_a_disk([](const fs::path& disk) -> std::string {
    make_run(disk, 3);
    leave(disk, room_of(disk / "ckpt-1.ckpt") / 2);
    Training training{disk, 3};
    training.manager.restore_or_initialize();
    for (int i = 0; i < 2; ++i) {
      if (const std::string wrong = refused(training, disk, 4); !wrong.empty()) return wrong;
    }
    if (found_in(disk) != "ckpt-1.ckpt ckpt-2.ckpt ckpt-3.ckpt") return found_in(disk);
    fs::remove(disk / "filler");
    training.manager.save(4);
    training.manager.wait_for_deletions();
    const std::string found = found_in(disk);
    return found == "ckpt-2.ckpt ckpt-3.ckpt ckpt-4.ckpt" ? "" : found;
  });
}

TEST_CASE("a full disk costs nothing that a restore would need", "[manager][full][damaged]") {
  const bool by_manager = GENERATE(true, false);
  on_a_disk([&](const fs::path& disk) -> std::string {
    make_run(disk, 3);
    for (const char* file : {"ckpt-2.ckpt", "ckpt-3.ckpt"}) damage(disk / file);
    leave(disk, room_of(disk / "ckpt-1.ckpt") / 2);
    // By the names alone, the newest would stay, and it is damaged.
    Training training{disk, 1};
    if (by_manager) {
      training.manager.restore_or_initialize();
    } else {
      training.checkpoint.restore(disk / "ckpt-1.ckpt");
    }
    if (const std::string wrong = refused(training, disk, 7); !wrong.empty()) return wrong;
    const std::string found = found_in(disk);
    return found == "ckpt-1.ckpt ckpt-2.ckpt ckpt-3.ckpt" ? "" : found;
  });
}
