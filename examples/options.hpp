// The command line of the examples: one directory, and options that each take a value.
#pragma once

#include <charconv>
#include <initializer_list>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

namespace example {

/// `PROGRAM DIRECTORY [--name VALUE]…`
class Options {
 public:
  /// Throws std::invalid_argument for anything but one directory and options out of `known`.
  Options(int argc, char** argv, std::initializer_list<std::string_view> known) {
    for (int i = 1; i < argc; ++i) {
      const std::string argument = argv[i];
      if (!argument.starts_with("--")) {
        if (!directory_.empty()) throw std::invalid_argument{"a second directory: " + argument};
        directory_ = argument;
        continue;
      }
      bool is_known = false;
      for (const std::string_view name : known) is_known = is_known || name == argument;
      if (!is_known) throw std::invalid_argument{"unknown option " + argument};
      if (i + 1 == argc) throw std::invalid_argument{argument + " needs a value"};
      values_[argument] = argv[++i];
    }
    if (directory_.empty()) throw std::invalid_argument{"a directory for the checkpoints is needed"};
  }

  const std::string& directory() const noexcept { return directory_; }

  std::string text(std::string_view name, const std::string& fallback = {}) const {
    const auto found = values_.find(name);
    return found == values_.end() ? fallback : found->second;
  }

  /// Throws std::invalid_argument when the value is no whole number of at least `minimum`.
  long number(std::string_view name, long fallback, long minimum) const {
    const auto found = values_.find(name);
    if (found == values_.end()) return fallback;
    const std::string& text = found->second;
    long value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < minimum) {
      throw std::invalid_argument{found->first + ": a number of at least " + std::to_string(minimum) +
                                  " is needed, not " + text};
    }
    return value;
  }

 private:
  std::string directory_;
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace example
