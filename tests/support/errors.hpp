// Looking at the errors that a call throws.
#pragma once

#include <ckpt/error.hpp>

#include <optional>
#include <ostream>
#include <string>
#include <utility>

namespace ckpt {

/// So that a failed comparison is readable.
inline std::ostream& operator<<(std::ostream& out, ErrorCode code) { return out << to_string(code); }

}  // namespace ckpt

namespace ckpt::test {

/// The ckpt::Error that `call` throws, or nothing. Other exceptions pass through and fail the test.
template <typename Call>
std::optional<Error> error_of(Call&& call) {
  try {
    std::forward<Call>(call)();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

template <typename Call>
std::optional<ErrorCode> code_of(Call&& call) {
  const auto error = error_of(std::forward<Call>(call));
  return error ? std::optional{error->code()} : std::nullopt;
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace ckpt::test

/// Requires that the expression throws ckpt::Error with that code; the error is then called `error`.
#define CKPT_REQUIRE_ERROR(error, wanted, ...)                                                  \
  const auto error##_or_none = ::ckpt::test::error_of([&] { static_cast<void>(__VA_ARGS__); }); \
  REQUIRE(error##_or_none.has_value());                                                         \
  const ::ckpt::Error& error = *error##_or_none;                                                \
  INFO(error.what());                                                                           \
  REQUIRE(error.code() == (wanted))

#define CKPT_CHECK_CODE(wanted, ...) \
  CHECK(::ckpt::test::code_of([&] { static_cast<void>(__VA_ARGS__); }) == std::optional{wanted})
