// Objects and helpers for the tests of the graph.
#pragma once

#include <ckpt/ckpt.hpp>

#include <catch2/catch.hpp>
#include <support/errors.hpp>
#include <support/files.hpp>
#include <support/temp_dir.hpp>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt::test {

/// A Trackable with its protected functions made public.
class Box : public Trackable {
 public:
  using Trackable::add_slot;
  using Trackable::add_variable;
  using Trackable::track;

  /// A scalar.
  Variable<float> add(std::string_view name, float value) { return add_variable<float>(name, {}, value); }
};

/// Two weights that are created on the first call, as in a program.
class Dense : public Trackable {
 public:
  explicit Dense(std::int64_t units = 2) : units_{units} {}
  void operator()(std::int64_t columns) {
    if (!kernel) kernel = add_variable<float>("kernel", {columns, units_}, 1.0F);
    if (!bias) bias = add_variable<float>("bias", {units_});
  }
  Variable<float> kernel;
  Variable<float> bias;

 private:
  std::int64_t units_;
};

/// Without fsync, which the tests of objects do not need.
inline SaveOptions quick() {
  SaveOptions options;
  options.writer.durable = false;
  return options;
}

inline std::vector<std::string> paths_in(const std::filesystem::path& file) {
  const Reader reader = Reader::open(file);
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < reader.size(); ++i) paths.emplace_back(reader.info(i).path);
  return paths;
}

inline float scalar_in(const std::filesystem::path& file, std::string_view path) {
  const TensorView view = Reader::open(file).tensor(path);
  return view.as<float>()[0];
}

/// How often a file whose path contains `name` is mapped.
inline std::size_t mappings_of(std::string_view name) {
  std::ifstream maps{"/proc/self/maps"};
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find(name) != std::string::npos ? 1 : 0;
  return count;
}

using Paths = std::vector<std::string>;

/// Collects what goes to the log while it lives.
class LogCapture {
 public:
  LogCapture() {
    set_log_callback([this](LogLevel level, std::string_view message) {
      (level == LogLevel::warning ? warnings : infos).emplace_back(message);
    });
  }
  ~LogCapture() { set_log_callback({}); }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  std::vector<std::string> warnings;
  std::vector<std::string> infos;
};

}  // namespace ckpt::test
