// Standard output, buffered; a reader that went away ends it quietly.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string_view>
#include <utility>

namespace ckptdump {

/// The system refused to take more output.
class OutputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Writes to standard output. Main must ignore SIGPIPE. One thread.
class Output {
 public:
  Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  template <typename... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(fmt::appender{buffer_}, format, std::forward<Args>(args)...);
    if (buffer_.size() >= kFlushBytes) flush();
  }

  void write(std::string_view text) {
    buffer_.append(text);
    if (buffer_.size() >= kFlushBytes) flush();
  }

  /// Throws OutputError, except for a closed pipe: see closed().
  void flush();

  /// Whether nobody reads any more, so that a long listing may stop.
  bool closed() const noexcept { return closed_; }

 private:
  static constexpr std::size_t kFlushBytes = 64U << 10U;

  fmt::memory_buffer buffer_;
  bool closed_ = false;
};

}  // namespace ckptdump
