// A small program with a manager, as the tests of managers start it again and again.
#pragma once

#include "../graph/objects.hpp"

#include <string>
#include <utility>
#include <vector>

namespace ckpt::test {

struct Run {
  explicit Run(const std::filesystem::path& directory, ManagerOptions options = {})
      : manager{checkpoint, directory, with_quick_saves(std::move(options))} {}

  /// Saves, and returns when what goes is gone.
  SaveResult save(const SaveRequest& request = {}) {
    SaveResult result = manager.save(request);
    manager.wait_for_deletions();
    return result;
  }
  SaveResult save(std::int64_t number) { return save({.number = number}); }

  Variable<float> value{0};
  Checkpoint checkpoint{{"v", value}};
  CheckpointManager manager;

 private:
  static ManagerOptions with_quick_saves(ManagerOptions options) {
    options.save = quick();
    return options;
  }
};

/// Names of the checkpoints in a directory, sorted as text.
inline Paths checkpoints_in(const std::filesystem::path& directory) {
  Paths names = names_in(directory);
  std::erase_if(names, [](const std::string& name) { return !name.ends_with(".ckpt"); });
  return names;
}

/// Flips one bit in the data of `v`.
inline void damage(const std::filesystem::path& file) {
  const auto offset = [&] {
    const Reader reader = Reader::open(file);
    return reader.info(*reader.find("v")).offset;
  }();
  Bytes bytes = read_file(file);
  bytes[offset] ^= std::byte{1};
  write_file(file, bytes);
}

}  // namespace ckpt::test
