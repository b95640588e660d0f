// The one exception type of the library.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace ckpt {

/// What kind of failure it was; the values are stable, so that a program can branch on them.
enum class ErrorCode : std::uint8_t {
  invalid_argument = 1,  ///< the call itself is wrong: a bad path, shape, option or order of calls
  not_found = 2,         ///< no such file, tensor or checkpoint
  already_exists = 3,    ///< a name that must be new is taken
  busy = 4,              ///< another writer holds the directory
  io = 5,                ///< the system refused: see `system_error`
  corrupt = 6,           ///< the file is damaged, truncated or not a checkpoint
  unsupported = 7,       ///< the file needs a version or feature that this library lacks
  limit = 8,             ///< a documented limit (see limits.hpp) would be exceeded
  mismatch = 9,          ///< dtype or shape differ from what the program asked for
};

/// The code in words, as the enumerator is spelled.
std::string_view to_string(ErrorCode code) noexcept;

/// The parts of an error message; whatever is known is filled in.
struct ErrorDetails {
  std::string problem = {};                  ///< what went wrong, one clause
  std::filesystem::path file = {};           ///< the file or directory concerned
  std::optional<std::uint64_t> offset = {};  ///< byte offset in that file
  std::string object = {};                   ///< object path, unescaped
  std::string expected = {};                 ///< what should have been there
  std::string found = {};                    ///< what was there
  std::string advice = {};                   ///< what the user can do next
  int system_error = 0;                      ///< errno, or 0
};

/// Thrown by every function of the library that can fail. `what()` is one line that holds all details; names that came
/// from a file are escaped in it. Memory that is not there for tensors is an Error of code limit; where a few bytes are
/// missing, std::bad_alloc may come through.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, ErrorDetails details);

  ErrorCode code() const noexcept { return code_; }
  const ErrorDetails& details() const noexcept { return details_; }

 private:
  ErrorCode code_;
  ErrorDetails details_;
};

}  // namespace ckpt
