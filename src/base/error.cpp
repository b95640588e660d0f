#include "base/text.hpp"

#include <ckpt/error.hpp>

#include <system_error>
#include <utility>

namespace ckpt {
namespace {

std::string compose(ErrorCode code, const ErrorDetails& details) {
  std::string text;
  if (!details.file.empty()) text += base::escape_path(details.file) + ": ";
  if (!details.object.empty()) text += base::escape(details.object) + ": ";
  text += details.problem.empty() ? std::string{to_string(code)} : details.problem;
  if (details.offset) text += " at offset " + base::hex(*details.offset);
  if (!details.expected.empty()) text += ", expected " + details.expected;
  if (!details.found.empty()) text += ", found " + details.found;
  if (details.system_error != 0) {
    text += ": " + std::generic_category().message(details.system_error);
    text += " (errno " + std::to_string(details.system_error) + ")";
  }
  if (!details.advice.empty()) text += "; " + details.advice;
  return text;
}

}  // namespace

std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::already_exists:
      return "already_exists";
    case ErrorCode::busy:
      return "busy";
    case ErrorCode::io:
      return "io";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::limit:
      return "limit";
    case ErrorCode::mismatch:
      return "mismatch";
  }
  return "unknown";
}

Error::Error(ErrorCode code, ErrorDetails details)
    : std::runtime_error{compose(code, details)}, code_{code}, details_{std::move(details)} {}

}  // namespace ckpt
