// What managers and savers do under faults.
#pragma once

#include "sweep.hpp"
#include "world.hpp"

#include <ckpt/ckpt.hpp>

#include <string>

namespace ckpt::test {

/// Starts, restores, and saves what rotates out an old checkpoint.
class Manage : public Operation {
 public:
  /// `saves` are there before; the first is pinned.
  Manage(const std::filesystem::path& dir, int saves, bool damaged, bool background = false)
      : dir_{dir / "runs" / "a"}, saves_{saves}, background_{background} {
    if (saves == 0) return;
    Program program{dir_};
    for (int i = 1; i <= saves; ++i) {
      program.value = i;
      program.manager.save();
      if (i == 1) program.manager.pin(1);
    }
    program.manager.wait_for_deletions();
    kept_ = read_file(file(1));
    best_ = saves;
    if (!damaged) return;
    write_file(file(saves), random_bytes(5000, 1));
    std::filesystem::remove(dir_ / "ckpt.state");
    write_file(dir_ / ".ckpt-7.ckpt.0123456789abcdef.tmp", "x");
    best_ = saves - 1;
  }

  void run() override {
    restored_ = -1;
    Program program{dir_};
    restored_ = program.restore();
    ++program.value;
    if (background_) {
      program.manager.save_async().pending.durable();
    } else {
      program.manager.save();
    }
    program.manager.wait_for_deletions();
  }

  std::string judge(const Struck& struck) override {
    // A file that cannot be read because the disk fails is passed over like one that is damaged, and said so.
    const bool passed_over = struck.any_error(EIO) || struck.any(door::Call::pread);
    if (struck.ok() && restored_ != best_ && !passed_over) return "restored " + std::to_string(restored_);
    if (saves_ > 0 && read_file(file(1)) != kept_) return "the pinned checkpoint was touched";
    Program program{dir_};
    const double now = program.restore();
    const bool saved = now == restored_ + 1;
    if (now != best_ && !saved) return "found " + std::to_string(now);
    if (struck.ok() && !saved) return "it returned and the checkpoint is not there";
    if (temporaries_in(dir_) != 0) return "a temporary remains after a new start";
    program.value = 100;
    const auto path = *program.manager.save().path;
    program.manager.wait_for_deletions();
    if (scalar_in(path) != 100) return "the next save gave another value";
    const std::size_t files = program.manager.checkpoints().size();
    return files <= 3 ? "" : "rotation leaves " + std::to_string(files) + " files";
  }

 private:
  std::filesystem::path file(int number) const { return dir_ / ("ckpt-" + std::to_string(number) + ".ckpt"); }

  std::filesystem::path dir_;
  int saves_;
  bool background_;
  double best_ = 0;
  double restored_ = -1;
  Bytes kept_;
};

/// A pin, and taking it back.
class Pin : public Operation {
 public:
  explicit Pin(const std::filesystem::path& dir) : dir_{dir}, program_{dir} {
    program_.value = 1;
    program_.manager.save();
  }
  void run() override {
    program_.manager.pin(1);
    program_.manager.unpin(1);
  }
  std::string judge(const Struck& struck) override {
    if (struck.ok() && std::filesystem::exists(pin())) return "the pin is still there";
    if (!struck.any(door::Call::unlinkat) && temporaries_in(dir_) != 0) return "a temporary remains";
    program_.manager.pin(1);
    if (!std::filesystem::exists(pin())) return "there is no pin";
    run();
    return std::filesystem::exists(pin()) ? "the pin is still there after another try" : "";
  }

 private:
  std::filesystem::path pin() const { return dir_ / "ckpt-1.ckpt.pin"; }
  std::filesystem::path dir_;
  Program program_;
};

/// Saves in the background.
class Async : public Operation {
 public:
  explicit Async(const std::filesystem::path& dir, SaveMode mode = SaveMode::copy)
      : path_{dir / "a.ckpt"}, mode_{mode} {
    checkpoint_.write(path_);
  }
  void run() override {
    value_ = 2;
    AsyncSaver saver{checkpoint_};
    saver.write(path_, {.mode = mode_}).durable();
  }
  std::string judge(const Struck& struck) override {
    const double now = scalar_in(path_);
    if (now != 1 && now != 2) return "neither old nor new";
    if (struck.ok() && now != 2) return "it returned and the file is the old one";
    run();
    return scalar_in(path_) == 2 ? "" : "the next try gave another value";
  }

 private:
  std::filesystem::path path_;
  SaveMode mode_;
  Variable<double> value_{1};
  Checkpoint checkpoint_{{"v", value_}};
};

}  // namespace ckpt::test
