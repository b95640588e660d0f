// Saves whose content follows from their number, until the power is cut or the disk fails.
#include "driver.hpp"

#include <ckpt/ckpt.hpp>

#include <fcntl.h>
#include <support/files.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <vector>

namespace ckpt::test {
namespace {

namespace fs = std::filesystem;

// linux/fs.h of older systems lacks it. ext4, XFS and others have the same number.
constexpr unsigned long kShutdown = _IOR('X', 125, std::uint32_t);

constexpr int kKept = 3;

bool is_quick(Way way) { return way == Way::quick || way == Way::quick_new; }
bool is_new_name(Way way) { return way == Way::new_name || way == Way::quick_new; }
bool is_managed(Way way) { return way == Way::manager || way == Way::background; }

// Small and large ones; every eighth has blocks that go past the page cache. Each word has the number in it, so that a
// mixture of two saves shows.
Bytes content(std::int64_t number) {
  const auto seed = static_cast<std::uint64_t>(number);
  std::vector<std::uint64_t> words(number % 8 == 0 ? 1'125'000 : 100 + seed * 7919 % 37'500);
  std::iota(words.begin(), words.end(), seed << 32U);
  return to_vector(std::as_bytes(std::span{words}));
}

fs::path path_of(const fs::path& dir, Way way, std::int64_t number) {
  return dir / (is_new_name(way) ? "n-" + std::to_string(number) + ".ckpt" : "a.ckpt");
}

void write(const fs::path& dir, Way way, std::int64_t number) {
  const Bytes bytes = content(number);
  WriterOptions options;
  options.durable = !is_quick(way);
  options.replace = !is_new_name(way);
  Writer writer{path_of(dir, way, number), options};
  writer.add<std::int64_t>("number", {}, std::span{&number, 1});
  writer.add("content", DType::u8, {static_cast<std::int64_t>(bytes.size())}, bytes);
  writer.commit();
}

// The number in a file that is whole.
std::int64_t load(const fs::path& path) {
  const Reader reader = Reader::open(path, {.mode = ReadMode::read, .verify = Verify::full});
  const TensorView number = reader.tensor("number");
  const std::int64_t value = number.as<std::int64_t>()[0];
  const TensorView bytes = reader.tensor("content");
  if (!std::ranges::equal(bytes.bytes(), content(value))) throw std::runtime_error("a mixture of two saves");
  return value;
}

// A program with a manager. Its value is the number of the save.
struct Program {
  explicit Program(const fs::path& dir) : manager{checkpoint, dir / "run", {.max_to_keep = kKept}} {
    manager.restore_or_initialize();
    if (value != number_now()) throw std::runtime_error("a mixture of two saves");
  }
  std::int64_t number_now() const { return weights.values()[weights.values().size() - 1]; }
  void set(std::int64_t number) {
    value = number;
    std::ranges::fill(weights.mutable_values(), number);
  }
  Variable<std::int64_t> value{0};
  Variable<std::int64_t> weights{{20'000}};
  Checkpoint checkpoint{{"value", value}, {"weights", weights}};
  CheckpointManager manager;
};

std::set<std::int64_t> names_of(const fs::path& dir) {
  std::set<std::int64_t> numbers;
  for (const std::string& name : names_in(dir)) {
    if (name.starts_with("n-") && name.ends_with(".ckpt")) numbers.insert(std::stoll(name.substr(2)));
  }
  return numbers;
}

// Without fsync a power cut may leave what is refused, in place of the newest.
std::int64_t newest_whole(const fs::path& dir, Way way) {
  if (!is_new_name(way)) return fs::exists(path_of(dir, way, 0)) ? load(path_of(dir, way, 0)) : 0;
  const std::set<std::int64_t> numbers = names_of(dir);
  std::int64_t before = 0;
  for (const std::int64_t number : numbers) {
    if (load(path_of(dir, way, number)) != number) throw std::runtime_error("another number than its name");
    if (before != 0 && number != before + 1) throw std::runtime_error("a file is missing between others");
    before = number;
  }
  return before;
}

// Before a manager repairs anything: all that is there is whole.
void require_history(const fs::path& dir) {
  const DirectoryHistory history = read_history(dir, {.verify = true});
  for (const RunHistory& run : history.runs) {
    if (run.state_problem && !(run.state_problem->code() == ErrorCode::not_found && run.checkpoints.size() <= 1)) {
      throw Error{*run.state_problem};
    }
    for (const HistoryEntry& entry : run.checkpoints) {
      if (entry.problem) throw Error{*entry.problem};
    }
  }
}

std::int64_t restored(const fs::path& dir) {
  const Program program{dir};
  if (temporaries_in(dir / "run") != 0) throw std::runtime_error("a temporary remains after the start");
  const std::size_t listed = program.manager.checkpoints().size();
  std::size_t found = 0;
  for (const std::string& name : names_in(dir / "run")) found += name.ends_with(".ckpt") ? 1U : 0U;
  // Those among them that were to be removed are removed by the next save.
  if (listed != found) throw std::runtime_error("the list does not fit the directory");
  return program.value.value();
}

void cut_power(const fs::path& dir, std::uint32_t flags) {
  const int fd = ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || ::ioctl(fd, kShutdown, &flags) != 0) throw std::runtime_error("cannot cut the power");
  ::close(fd);
}

// Saves one more each time that it is called.
std::function<void(std::int64_t)> saver(const fs::path& dir, Way way) {
  if (!is_managed(way)) {
    return [=](std::int64_t number) {
      write(dir, way, number);
      if (!is_new_name(way)) return;
      for (const std::int64_t old : names_of(dir)) {  // also one whose removal a power cut has undone
        if (old <= number - kKept) fs::remove(path_of(dir, way, old));
      }
    };
  }
  return [way, program = std::make_shared<Program>(dir)](std::int64_t number) {
    program->set(number);
    if (way == Way::manager) {
      program->manager.save();
    } else {
      program->manager.save_async();
      program->manager.wait_for_saves();
    }
  };
}

}  // namespace

Way way_of(const std::string& name) {
  constexpr const char* kNames[] = {"replace", "new", "quick", "quick-new", "manager", "background"};
  const auto* const found = std::ranges::find(kNames, name);
  if (found == std::end(kNames)) throw std::runtime_error("no such way to save: " + name);
  return static_cast<Way>(found - kNames);
}

void save_on(const fs::path& dir, Way way, int saves, std::uint32_t flags, int patience) {
  std::int64_t number = is_managed(way) ? Program{dir}.value.value() : newest_whole(dir, way);
  const auto save = saver(dir, way);
  for (int done = 0; saves == 0 || done < saves;) {
    say("begun " + std::to_string(++number));
    std::string failed;
    try {
      save(number);
    } catch (const Error& error) {
      failed = text_of(error);
    } catch (const fs::filesystem_error& error) {  // in removing what is old
      failed = "io " + std::to_string(error.code().value()) + ": " + error.what();
    }
    if (!failed.empty()) {
      say("error " + failed);
      if (patience-- == 0) return;
      continue;
    }
    if (++done == saves && flags != 0) cut_power(dir, flags);
    say("returned " + std::to_string(number));
  }
}

void check(const fs::path& dir, Way way) {
  const bool managed = is_managed(way);
  const fs::path where = managed ? dir / "run" : dir;
  std::size_t temporaries = 0;
  std::int64_t number = 0;
  if (fs::exists(where)) {
    temporaries = temporaries_in(where);
    if (managed && fs::exists(where / "ckpt.state")) require_history(where);
    try {
      number = managed ? restored(dir) : newest_whole(dir, way);
    } catch (const Error& error) {
      if (!is_quick(way) || error.code() != ErrorCode::corrupt) throw;
      number = -1;
    }
  }
  // Nobody else removes what a Writer that was killed has left.
  if (!managed) {
    for (const std::string& name : names_in(dir)) {
      if (name.ends_with(".tmp") || number == -1) fs::remove(dir / name);
    }
  }
  say(std::to_string(number) + " " + std::to_string(temporaries));
}

void save_into_room(const fs::path& dir, const std::string& how) {
  const fs::path path = dir / "a.ckpt";
  const Bytes old = read_file(path);
  std::optional<Error> failed;
  try {
    if (how == "manager") {
      Program program{dir};
      program.set(program.value.value() + 1);
      program.manager.save();
    } else {
      WriterOptions options;
      options.durable = how != "quick";
      if (how == "allocated") options.expected_bytes = 200'000;
      Writer writer{path, options};
      writer.add("content", DType::u8, {200'000}, random_bytes(200'000, 7));
      writer.commit();
    }
  } catch (const Error& error) {
    failed = error;
  }
  const fs::path where = how == "manager" ? dir / "run" : dir;
  if (fs::exists(where) && temporaries_in(where) != 0) throw std::runtime_error("a temporary remains");
  if (!failed) {
    if (how == "manager" ? restored(dir) == 0 : !Reader::open(path, {.verify = Verify::full}).contains("content")) {
      throw std::runtime_error("it returned, and nothing was saved");
    }
    return say("saved");
  }
  if (failed->code() != ErrorCode::io || failed->details().system_error != ENOSPC) throw Error{*failed};
  if (failed->details().advice.find("disk is full") == std::string::npos) throw std::runtime_error("no advice");
  if (read_file(path) != old) throw std::runtime_error("the old file was touched");
  say("full");
}

}  // namespace ckpt::test
