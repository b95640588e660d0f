// A log of losses in exact form, so that two runs can be compared bit for bit.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

namespace example {

/// Appends a line per step, "<step> <loss as a hexadecimal float>". A run that is resumed from its newest checkpoint
/// takes again the steps that the killed one took after it; their lines must come out the same.
class LossLog {
 public:
  /// An empty path: no log. Throws std::runtime_error when the file cannot be opened.
  explicit LossLog(const std::string& path) {
    if (path.empty()) return;
    file_.reset(std::fopen(path.c_str(), "a"));
    if (!file_) throw std::runtime_error{path + ": cannot be opened for appending"};
  }

  /// The line reaches the system at once: it survives a kill of this process.
  void add(std::int64_t step, float loss) {
    if (!file_) return;
    std::fprintf(file_.get(), "%lld %a\n", static_cast<long long>(step), static_cast<double>(loss));
    if (std::fflush(file_.get()) != 0) throw std::runtime_error{"the log of losses cannot be written"};
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace example
