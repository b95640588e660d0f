// What the tests of this folder save, and where.
#pragma once

#include <ckpt/ckpt.hpp>

#include <support/files.hpp>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <utility>

namespace ckpt::test {

/// In memory where there is such a place: thousands of saves would wear a disk for nothing.
inline std::filesystem::path memory_dir() {
  return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : std::filesystem::temp_directory_path();
}

struct QuietLog {
  QuietLog() {
    set_log_callback([](LogLevel, std::string_view) {});
  }
  ~QuietLog() { set_log_callback({}); }
  QuietLog(const QuietLog&) = delete;
  QuietLog& operator=(const QuietLog&) = delete;
};

/// How a Writer saves.
struct Plan {
  WriterOptions options = {};
  std::size_t bytes = 3000;
  bool at_once = false;  ///< not in small pieces
  bool shrinks = false;  ///< when it is compressed
  bool replaces = true;
};

/// The same bytes for the same plan and seed.
inline void write(const std::filesystem::path& path, const Plan& plan, std::uint64_t seed) {
  WriterOptions options = plan.options;
  options.uuid.emplace();
  options.uuid->fill(static_cast<std::byte>(seed));
  options.created_ns = static_cast<std::int64_t>(seed);
  Writer writer{path, options};
  writer.add("a", DType::u8, {100}, random_bytes(100, seed));
  const std::size_t piece = plan.at_once ? plan.bytes : 4096;
  const Bytes data = plan.shrinks ? smooth_bytes(piece, seed + 1) : random_bytes(piece, seed + 1);
  writer.begin("b", DType::u8, {static_cast<std::int64_t>(plan.bytes)});
  for (std::size_t done = 0; done < plan.bytes; done += data.size()) {
    writer.append(std::span{data}.first(std::min(data.size(), plan.bytes - done)));
  }
  writer.end();
  writer.commit();
}

/// The value that a Program saved.
inline double scalar_in(const std::filesystem::path& path) {
  const TensorView view = Reader::open(path, {.verify = Verify::full}).tensor("v");
  return view.as<double>()[0];
}

/// A program with a manager, from its start to its end.
struct Program {
  explicit Program(const std::filesystem::path& dir, ManagerOptions options = {.max_to_keep = 2})
      : manager{checkpoint, dir, std::move(options)} {}
  double restore() {
    manager.restore_or_initialize();
    return value;
  }
  Variable<double> value{0};
  Checkpoint checkpoint{{"v", value}};
  CheckpointManager manager;
};

}  // namespace ckpt::test
