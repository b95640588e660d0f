// What the operations of the driver share: requests, answers, the model that is saved and restored, the clock.
#pragma once

#include "../input.hpp"

#include <ckpt/ckpt.hpp>

#include <time.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ckpt::bench {

/// One line of standard input: the operation, then `name=value`, all separated by tabs.
class Request {
 public:
  explicit Request(const std::string& line);

  const std::string& operation() const noexcept { return operation_; }
  /// Throws invalid_argument of the standard library when the field is missing.
  const std::string& text(const std::string& name) const;
  std::string text_or(const std::string& name, const std::string& otherwise) const;
  std::int64_t number(const std::string& name) const { return std::stoll(text(name)); }
  std::int64_t number_or(const std::string& name, std::int64_t otherwise) const;
  std::filesystem::path file() const { return text("file"); }
  /// The field `threads`; 0 stands for all cores, and one is the default.
  unsigned threads() const;

 private:
  std::string operation_;
  std::map<std::string, std::string> fields_;
};

/// One line of standard output: `ok`, then these as `name=value`; or `error` and a message.
class Answer {
 public:
  void set(const std::string& name, const std::string& text) { fields_[name] = text; }
  void set(const std::string& name, std::uint64_t number) { fields_[name] = std::to_string(number); }
  void set_seconds(const std::string& name, double seconds);
  std::string line() const;

 private:
  std::map<std::string, std::string> fields_;
};

struct Tensor {
  std::string path;
  DType dtype{};
  Shape shape;
  std::span<const std::byte> data;
};

/// The tensors that are saved: named by a layout file, cut from memory that was touched.
struct Model {
  std::vector<Tensor> tensors;
  std::span<const std::byte> memory;  // tensors share parts of it when it is smaller than all of them
  std::uint64_t bytes = 0;            // of all tensors
  std::uint64_t sum = 0;              // of all tensors, each as bench::sum() takes it
};

/// What lives from request to request.
struct Session {
  Model model;
  std::vector<Reader> kept;
  /// As much memory as the model has, touched; to restore into.
  std::span<std::byte> destination() const;
};

/// Seconds that `body` takes by the monotonic clock.
template <typename Body>
double seconds(const Body& body) {
  timespec begin{};
  timespec end{};
  ::clock_gettime(CLOCK_MONOTONIC, &begin);
  body();
  ::clock_gettime(CLOCK_MONOTONIC, &end);
  return static_cast<double>(end.tv_sec - begin.tv_sec) + static_cast<double>(end.tv_nsec - begin.tv_nsec) / 1e9;
}

/// The model's tensors as variables, in the model's own memory or cut from `memory` in the same order.
class Variables : public Trackable {
 public:
  explicit Variables(const Model& model, std::optional<std::span<std::byte>> memory = {});
};

using Operation = void (*)(Session&, const Request&, Answer&);
using Operations = std::map<std::string, Operation>;

/// The operations of each file.
Operations model_operations();
Operations save_operations();
Operations load_operations();
Operations limit_operations();

}  // namespace ckpt::bench
